//! zip archives that hold exactly one disk image, perhaps beside a README and the like.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
};

use ::zip::{ZipArchive, result::ZipError};

/// Endings of file names that make an entry a disk image whatever its size.
const ENDINGS: [&str; 5] = [".img", ".raw", ".wic", ".sdimg", ".sdcard"];

/// Where no entry has such an ending, entries of this size or more, in bytes, count as images.
const LEAST_SIZE: u64 = 1 << 20;

/// Finds the image in the archive `file` and calls `use_it` with its name, size and decoded bytes.
///
/// # Errors
/// The error of `use_it`, or through `bad` the reason why the archive cannot be used;
/// [`io::ErrorKind::InvalidInput`] where it is sound and does not hold exactly one image.
pub fn with_image<T, E>(
    file: &File,
    bad: impl Fn(io::Error) -> E,
    use_it: impl FnOnce(&str, u64, &mut dyn Read) -> Result<T, E>,
) -> Result<T, E> {
    let read = || -> Result<_, ZipError> {
        let mut file = file.try_clone()?;
        file.rewind()?;
        let mut archive = ZipArchive::new(BufReader::with_capacity(1 << 20, file))?;
        let index = find_image(&mut archive)?;
        Ok((archive, index))
    };
    let (mut archive, index) = read().map_err(|error| bad(as_io(error)))?;
    let mut entry = archive.by_index(index).map_err(|error| bad(as_io(error)))?;
    let (name, size) = (shown(entry.name_raw()), entry.size());
    use_it(&name, size, &mut entry)
}

/// The index of the one entry that is an image.
fn find_image<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<usize, ZipError> {
    let mut named = Vec::new();
    let mut large = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        let path = shown(entry.name_raw());
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        // macOS adds such copies of a file's attributes.
        if entry.is_dir() || name.starts_with("._") {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
            named.push((index, path));
        } else if entry.size() >= LEAST_SIZE {
            large.push((index, path));
        }
    }
    let candidates = if named.is_empty() { large } else { named };
    let invalid = |what: String| ZipError::from(io::Error::new(io::ErrorKind::InvalidInput, what));
    match candidates.as_slice() {
        [(index, _)] => Ok(*index),
        [] => Err(invalid("the zip archive holds no disk image".into())),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, path)| path.as_str()).collect();
            let all = names.join(" and ");
            Err(invalid(format!(
                "the zip archive holds more than one image: {all}"
            )))
        }
    }
}

/// A name from an archive without control characters, which a terminal might obey.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn as_io(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::image;
    use super::*;
    use ::zip::{ZipWriter, write::SimpleFileOptions};
    use std::io::{Cursor, Write};

    fn pack(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = SimpleFileOptions::default();
            if name.ends_with('/') {
                zip.add_directory(*name, options).unwrap();
            } else {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn unpack(bytes: &[u8]) -> io::Result<(String, Vec<u8>)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        with_image(
            &file,
            |e| e,
            |name, size, reader| {
                let mut out = Vec::new();
                reader.read_to_end(&mut out)?;
                assert_eq!(out.len() as u64, size);
                Ok((name.to_owned(), out))
            },
        )
    }

    #[test]
    fn the_one_image_is_found_among_other_files() {
        let data = image(1, 4);
        let zip = pack(&[
            ("dir/", b""),
            ("dir/README.txt", b"read me"),
            ("dir/pi.img", &data),
            ("__MACOSX/._pi.img", b"attributes"),
            ("dir/pi.img.sha256", b"0000"),
        ]);
        assert_eq!(unpack(&zip).unwrap(), ("dir/pi.img".into(), data));
        let large = vec![7; 1 << 20];
        let zip = pack(&[("README", b"x"), ("disk", &large)]);
        assert_eq!(unpack(&zip).unwrap().0, "disk");
    }

    #[test]
    fn two_images_are_refused_by_name_and_none_too() {
        let two = unpack(&pack(&[("a.img", b"1"), ("b\x1b.IMG", b"2")])).unwrap_err();
        assert!(two.to_string().contains("a.img and b?.IMG"), "{two}");
        assert!(unpack(&pack(&[("README", b"x")])).is_err());
        assert!(unpack(&pack(&[])).is_err());
    }

    #[test]
    fn damage_and_truncation_are_errors() {
        let zip = pack(&[("a.img", &image(2, 8))]);
        for cut in (0..zip.len()).step_by(97) {
            assert!(unpack(&zip[..cut]).is_err(), "cut at {cut}");
        }
        let mut broken = zip.clone();
        broken[zip.len() / 2] ^= 4;
        assert!(unpack(&broken).is_err());
    }
}
