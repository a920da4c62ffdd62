//! What an output is, by its name, and whether it may be made.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use crate::{
    error::{Context, Error, Kind, Result},
    image::directory,
    sys::qemu_img::DiskFormat,
};

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As `xz` does.
    Xz,
    /// As `zstd` does.
    Zstd,
    /// As `gzip` does.
    Gzip,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A disk image, as it is or packed.
    Image(Option<Packing>),
    /// A disk image as a virtual machine has it.
    Disk(DiskFormat),
    /// The files of the system in a tar archive.
    Archive(Option<Packing>),
    /// The files of the system in a folder.
    Folder,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it goes; of a folder without a slash at its end.
    pub path: PathBuf,
    /// What it is.
    pub format: Format,
}

/// Endings of names, the longest first where one ends in another.
const ENDINGS: [(&str, Format); 16] = [
    (".tar.xz", Format::Archive(Some(Packing::Xz))),
    (".txz", Format::Archive(Some(Packing::Xz))),
    (".tar.zst", Format::Archive(Some(Packing::Zstd))),
    (".tzst", Format::Archive(Some(Packing::Zstd))),
    (".tar.gz", Format::Archive(Some(Packing::Gzip))),
    (".tgz", Format::Archive(Some(Packing::Gzip))),
    (".tar", Format::Archive(None)),
    (".xz", Format::Image(Some(Packing::Xz))),
    (".zst", Format::Image(Some(Packing::Zstd))),
    (".gz", Format::Image(Some(Packing::Gzip))),
    (".qcow2", Format::Disk(DiskFormat::Qcow2)),
    (".vmdk", Format::Disk(DiskFormat::Vmdk)),
    (".vdi", Format::Disk(DiskFormat::Vdi)),
    (".vhdx", Format::Disk(DiskFormat::Vhdx)),
    (".img", Format::Image(None)),
    (".raw", Format::Image(None)),
];

/// Endings that promise what is not made.
const FOREIGN: [&str; 6] = [".zip", ".bz2", ".7z", ".lz4", ".iso", ".vhd"];

/// All of the formats, for hints.
const FORMS: &str = "a plain image ends in .img, a packed one in .img.xz, .img.zst or .img.gz, one for virtual machines in \
                     .qcow2, .vmdk, .vdi or .vhdx, an archive of the files in .tar.xz, .tar.zst or .tar.gz, and a folder \
                     in /";

impl Output {
    /// The output at `path`, by its ending. What has no known ending is a plain image.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an ending that promises something else.
    pub fn new(path: &Path) -> Result<Self> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.ends_with(b"/") && path.file_name().is_some() {
            // Its components, without the slash.
            return Ok(Output {
                path: path.components().collect(),
                format: Format::Folder,
            });
        }
        let (stem, format) = split(path);
        let promised = |name: &str| FOREIGN.iter().find(|end| name.ends_with(**end)).copied();
        let inner = match format {
            Format::Image(Some(_)) => split(Path::new(&stem)),
            _ => (String::new(), Format::Image(None)),
        };
        let name = file_name(path);
        let wrong = match (promised(&name), inner.1) {
            (Some(ending), _) => Some(ending),
            (None, Format::Disk(disk)) => Some(disk.name()),
            _ => None,
        };
        match wrong {
            Some(what) => Err(Error::usage(format!(
                "the output {} cannot be a {}{}",
                path.display(),
                what.trim_start_matches('.'),
                if promised(&name).is_some() {
                    ""
                } else {
                    " that is packed once more"
                }
            ))
            .hint(FORMS)),
            None => Ok(Output {
                path: path.to_owned(),
                format,
            }),
        }
    }

    /// What the plain image would be called: the work image, for as long as it is one.
    pub fn image(&self) -> PathBuf {
        let name = match self.format {
            Format::Image(None) => return self.path.clone(),
            Format::Folder => file_name_as_is(&self.path),
            _ => split(&self.path).0,
        };
        let stem = name.strip_suffix(".img").unwrap_or(&name);
        self.path.with_file_name(format!("{stem}.img"))
    }

    /// The program of this machine that makes it, if one is needed.
    pub fn program(&self) -> Option<&'static str> {
        match self.format {
            Format::Image(_) => None,
            Format::Disk(_) => Some("qemu-img"),
            Format::Archive(_) | Format::Folder => Some("tar"),
        }
    }

    /// Whether it is made of the files in the image and not of the image.
    pub fn is_tree(&self) -> bool {
        matches!(self.format, Format::Archive(_) | Format::Folder)
    }
}

/// The file name of `path` without its ending, and what that says.
fn split(path: &Path) -> (String, Format) {
    let (name, lower) = (file_name_as_is(path), file_name(path));
    let known = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending));
    match known {
        // Lower case has as many bytes, of ASCII.
        Some((ending, format)) if name.len() > ending.len() => {
            (name[..name.len() - ending.len()].to_owned(), *format)
        }
        _ => (name, Format::Image(None)),
    }
}

fn file_name_as_is(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> String {
    file_name_as_is(path).to_ascii_lowercase()
}

/// Refuses outputs that cannot be made or must not be replaced, before any work is done.
///
/// # Errors
/// [`Kind::Usage`] for a path that exists (without `force`), is the source, is there twice, or is not in a folder that
/// exists.
pub fn check(outputs: &[Output], force: bool, source: Option<&Path>) -> Result<()> {
    for (index, output) in outputs.iter().enumerate() {
        check_one(output, force, source)?;
        if outputs[..index]
            .iter()
            .any(|other| other.path == output.path)
        {
            return Err(wrong(output, "is there twice", "leave one of them out"));
        }
    }
    Ok(())
}

fn wrong(output: &Output, what: &str, hint: &str) -> Error {
    Error::usage(format!("the output {} {what}", output.path.display())).hint(hint)
}

fn check_one(output: &Output, force: bool, source: Option<&Path>) -> Result<()> {
    let path = output.path.as_path();
    let wrong = |what: &str, hint: &str| Err(wrong(output, what, hint));
    let is_folder = output.format == Format::Folder;
    if path.file_name().is_none() || (!is_folder && path.is_dir()) {
        return wrong(
            "is a folder",
            "give the file's name too, as in -o FOLDER/NAME.img; with a / at its end the files of the system go into a \
             folder of that name",
        );
    }
    let dir = directory(path);
    if !dir.is_dir() {
        return wrong(
            "is in a folder that does not exist",
            &format!("mkdir -p {}", dir.display()),
        );
    }
    if let (Ok(existing), Some(source)) = (fs::metadata(path), source)
        && let Ok(source) = fs::metadata(source)
        && (source.dev(), source.ino()) == (existing.dev(), existing.ino())
    {
        return wrong(
            "is the source image",
            "name another file by -o; a source is never changed",
        );
    }
    let Ok(existing) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if is_folder && !existing.is_dir() {
        return wrong("exists and is not a folder", "name another by -o");
    }
    if !is_folder && !existing.is_file() {
        return wrong(
            "exists and is not a regular file",
            "write to a file, then copy that to the device or link",
        );
    }
    if !force {
        return wrong("exists", "use --force to replace it, or name another by -o");
    }
    if is_folder && !may_replace(path) {
        return wrong(
            "is a folder with other things in it than a system",
            "it would be replaced as a whole: name another, or remove it yourself",
        );
    }
    Ok(())
}

/// Whether the folder is empty, or looks like one that was made here.
fn may_replace(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty
        || ["etc", "usr", "bin"]
            .iter()
            .all(|name| folder.join(name).exists())
}

/// Refuses an output in a folder that this process may not write to.
///
/// # Errors
/// [`Kind::Host`], with the folder.
pub fn check_may_write(output: &Output) -> Result<()> {
    let dir = directory(&output.path);
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK)
        .context(Kind::Host, || {
            format!("cannot write to the output's folder {}", dir.display())
        })
        .map_err(|error| error.hint("name an output in a folder that you may write to, by -o"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn format(name: &str) -> Format {
        Output::new(Path::new(name)).unwrap().format
    }

    #[test]
    fn the_ending_is_the_format() {
        for name in ["a.img", "a", "a.bin", "dir.xz/a", ".xz", "a.IMG", "a.raw"] {
            assert_eq!(format(name), Format::Image(None), "{name}");
        }
        assert_eq!(format("a.img.xz"), Format::Image(Some(Packing::Xz)));
        assert_eq!(format("a.ZST"), Format::Image(Some(Packing::Zstd)));
        assert_eq!(format("é.gz"), Format::Image(Some(Packing::Gzip)));
        assert_eq!(format("a.qcow2"), Format::Disk(DiskFormat::Qcow2));
        assert_eq!(format("a.tar.gz"), Format::Archive(Some(Packing::Gzip)));
        assert_eq!(format("a.tar"), Format::Archive(None));
        assert_eq!(format("a.tar.xz/"), Format::Folder);
        for name in ["a.zip", "a.img.BZ2", "a.qcow2.xz", "a.iso"] {
            let error = Output::new(Path::new(name)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}");
            assert!(error.hint_text().unwrap().contains(".img.zst"), "{name}");
        }
    }

    #[test]
    fn every_output_has_a_plain_image() {
        let image = |name: &str| Output::new(Path::new(name)).unwrap().image();
        for name in [
            "/o/a.img",
            "/o/a.img.xz",
            "/o/a.gz",
            "/o/a.vdi",
            "/o/a.tgz",
            "/o/a/",
        ] {
            assert_eq!(image(name), Path::new("/o/a.img"), "{name}");
        }
        assert_eq!(image("/o/a.bin"), Path::new("/o/a.bin"));
        assert_eq!(image("/o/a.b.img.zst"), Path::new("/o/a.b.img"));
    }

    #[test]
    fn outputs_that_cannot_be_are_refused_before_any_work() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let image = at("source.img");
        fs::write(&image, "source").unwrap();
        fs::write(at("there.img"), "").unwrap();
        symlink("nowhere", at("dangling.img")).unwrap();
        symlink("source.img", at("link.img")).unwrap();
        fs::create_dir_all(at("photos/mine")).unwrap();
        fs::create_dir_all(at("empty")).unwrap();
        for name in ["etc", "usr", "bin"] {
            fs::create_dir_all(at("root").join(name)).unwrap();
        }
        let source = Some(image.as_path());
        let check = |path: &Path, force| check(&[Output::new(path).unwrap()], force, source);
        let refused = |path: &Path, force| {
            let error = check(path, force).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(error.hint_text().is_some(), "{error}");
            error.to_string()
        };
        assert!(refused(&at("there.img"), false).ends_with("exists"));
        assert!(refused(&at("dangling.img"), false).contains("not a regular file"));
        assert!(refused(dir.path(), true).contains("is a folder"));
        assert!(refused(Path::new("/dev/null"), true).contains("not a regular file"));
        assert!(refused(&at("no/such.img"), true).contains("does not exist"));
        assert!(refused(&image.join("x.img"), true).contains("does not exist"));
        assert!(refused(&image, true).contains("the source image"));
        assert!(refused(&at("link.img"), true).contains("the source image"));
        assert!(refused(Path::new(""), true).contains("is a folder"));
        assert!(refused(Path::new("/"), true).contains("is a folder"));
        assert!(refused(&at("root/"), false).ends_with("exists"));
        assert!(refused(&at("photos/"), true).contains("other things"));
        assert!(refused(&at("there.img/"), true).contains("not a folder"));
        for (name, force) in [
            ("there.img", true),
            ("new.img", false),
            ("root/", true),
            ("empty/", true),
        ] {
            check(&at(name), force).unwrap();
        }
        check(Path::new("new-in-working-directory.img"), false).unwrap();
        let twice = [at("a.img"), at("b.xz"), at("a.img")].map(|path| Output::new(&path).unwrap());
        let error = super::check(&twice, false, source).unwrap_err();
        assert!(
            error.to_string().ends_with("a.img is there twice"),
            "{error}"
        );
    }
}
