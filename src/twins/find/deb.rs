//! Takes programs and shared libraries out of a .deb, without dpkg and without root's tar: what an
//! archive says is data, and decides neither names nor places beyond what is wanted here.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use tar::EntryType;

/// The largest data that is unpacked from one package, in bytes.
const MAX_DATA: u64 = 256 << 20;
/// Memory for the xz decoder: dpkg-deb packs with at most 64 MiB of dictionary.
const XZ_MEMORY: u64 = 256 << 20;

/// Unpacks the programs and the libraries for `triplet` of a package into the empty folder `to`,
/// under the names they have in it.
///
/// # Errors
/// When it is no Debian package, or cannot be written.
pub fn unpack(deb: Vec<u8>, triplet: &str, to: &Path) -> io::Result<()> {
    let data = data(Cursor::new(deb))?;
    let mut archive = tar::Archive::new(data.take(MAX_DATA));
    for entry in archive.entries()? {
        keep(&mut entry?, triplet, to)?;
    }
    Ok(())
}

/// The decoded data.tar of a package: see deb(5) and ar(5).
fn data(mut deb: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = [0; 8];
    deb.read_exact(&mut magic)?;
    if &magic != b"!<arch>\n" {
        return Err(io::ErrorKind::InvalidData.into());
    }
    loop {
        let mut header = [0; 60];
        deb.read_exact(&mut header)?;
        let text = |at: std::ops::Range<usize>| str::from_utf8(&header[at]).unwrap_or("").trim();
        let Ok(size) = text(48..58).parse::<u64>() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let name = text(0..16).trim_end_matches('/').to_owned();
        if name.starts_with("data.tar") {
            return decoder(name.trim_start_matches("data.tar"), deb.take(size));
        }
        io::copy(&mut deb.by_ref().take(size + size % 2), &mut io::sink())?;
    }
}

fn decoder(suffix: &str, data: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    Ok(match suffix {
        "" => Box::new(data),
        ".gz" => Box::new(flate2::read::GzDecoder::new(data)),
        ".xz" => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
            Box::new(liblzma::read::XzDecoder::new_stream(data, stream))
        }
        ".zst" => Box::new(zstd::Decoder::new(data)?),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

/// Writes one entry of the archive, if it is wanted.
fn keep(entry: &mut tar::Entry<impl Read>, triplet: &str, to: &Path) -> io::Result<()> {
    let Some(path) = wanted(&entry.path()?, triplet) else {
        return Ok(());
    };
    let target = entry.link_name()?.map(|link| link.into_owned());
    let at = to.join(&path);
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    match (entry.header().entry_type(), target) {
        (EntryType::Regular, _) => {
            let mut options = File::options();
            // `create_new` follows no link that an earlier entry may have made.
            let mut file = options.write(true).create_new(true).mode(0o755).open(at)?;
            io::copy(entry, &mut file)?;
        }
        (EntryType::Link, Some(target)) => {
            if let Some(target) = wanted(&target, triplet) {
                fs::hard_link(to.join(target), at)?;
            }
        }
        // Links between files of one folder, as from libz.so.1 to libz.so.1.2.
        (EntryType::Symlink, Some(target)) if is_name(&target) => symlink(target, at)?,
        _ => {}
    }
    Ok(())
}

fn is_name(path: &Path) -> bool {
    let mut parts = path.components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

/// `path` without a leading `./`, if it is where programs or libraries for `triplet` are.
fn wanted(path: &Path, triplet: &str) -> Option<PathBuf> {
    let mut parts = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    let plain = parts.join("/").into();
    if parts.first() == Some(&"usr") {
        parts.remove(0);
    }
    match parts[..] {
        ["bin" | "sbin", _] => Some(plain),
        ["lib", folder, name] if folder == triplet && name.contains(".so") => Some(plain),
        // Modules of perl's.
        ["lib", folder, perl, .., name] if folder == triplet && perl.starts_with("perl") => {
            let built = name.ends_with(".so") || name.ends_with(".ph");
            built.then_some(plain)
        }
        _ => None,
    }
}

#[cfg(test)]
pub mod testing {
    //! Packages for tests.

    /// A package with these regular files and links, by path and content or target.
    pub fn deb(files: &[(&str, &[u8])], links: &[(tar::EntryType, &str, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o4755);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        for (kind, path, target) in links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(0);
            archive.append_link(&mut header, path, target).unwrap();
        }
        let data = zstd::encode_all(&archive.into_inner().unwrap()[..], 1).unwrap();
        let mut deb = b"!<arch>\n".to_vec();
        for (name, member) in [
            ("debian-binary", &b"2.0\n"[..]),
            ("odd", b"x"),
            ("data.tar.zst", &data),
        ] {
            deb.extend(format!("{name:<16}{:<32}{:<10}`\n", 0, member.len()).bytes());
            deb.extend(member);
            deb.extend(vec![b'\n'; member.len() % 2]);
        }
        deb
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const TRIPLET: &str = "x86_64-linux-gnu";

    fn unpacked(deb: &[u8]) -> (tempfile::TempDir, io::Result<()>) {
        let dir = tempfile::tempdir().unwrap();
        let done = unpack(deb.to_vec(), TRIPLET, dir.path());
        (dir, done)
    }

    #[test]
    fn programs_and_libraries_are_kept_and_nothing_else() {
        let library = format!("./usr/lib/{TRIPLET}/libz.so.1.2");
        let deb = testing::deb(
            &[
                ("./bin/dash", b"dash"),
                ("./usr/share/doc/dash", b"doc"),
                (&library, b"z"),
            ],
            &[
                (EntryType::Symlink, "./bin/sh", "dash"),
                (EntryType::Symlink, "./bin/passwd", "/etc/passwd"),
                (EntryType::Symlink, "./bin/up", "../../../etc/passwd"),
                (EntryType::Link, "./bin/ash", "./bin/dash"),
            ],
        );
        let (dir, done) = unpacked(&deb);
        done.unwrap();
        let to = dir.path();
        for name in ["bin/dash", "bin/sh", "bin/ash"] {
            assert_eq!(fs::read(to.join(name)).unwrap(), b"dash");
        }
        let mode = fs::metadata(to.join("bin/dash")).unwrap().mode();
        assert_eq!(mode & 0o7777 & !0o022, 0o755);
        assert_eq!(fs::read(to.join(&library)).unwrap(), b"z");
        for none in ["usr/share", "bin/passwd", "bin/up"] {
            assert!(to.join(none).symlink_metadata().is_err(), "{none}");
        }
    }

    #[test]
    fn an_entry_never_writes_through_a_link() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let link = outside.path().to_str().unwrap();
        let mut deb = testing::deb(&[], &[(EntryType::Symlink, "bin/a", link)]);
        assert!(unpacked(&deb).1.is_ok());
        deb = testing::deb(&[("bin/a", b"1"), ("bin/a", b"2")], &[]);
        assert!(unpacked(&deb).1.is_err());
        assert!(unpacked(b"!<arch>\nnothing").1.is_err());
    }
}
