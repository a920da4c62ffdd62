//! The image that the user asks for: a source, or a name whose source a catalogue knows.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    cache::Cache,
    catalogue::{Catalogues, Entry},
    checksum::Checksum,
    expected::Listed,
    location::Location,
    signature::Signature,
    source::Source,
};
use crate::{
    error::{Error, Result},
    event::{Event, Report},
};

/// Endings of files that images are in. What ends so is a path, also where there is no such file.
const ENDINGS: [&str; 14] = [
    ".img", ".raw", ".wic", ".sdimg", ".sdcard", ".iso", ".bin", ".xz", ".gz", ".zst", ".zip",
    ".bz2", ".7z", ".qcow2",
];

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// This source.
    Source(Source),
    /// The image of this name.
    Name(Named),
}

/// An image by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Where there is no file of that name.
    pub path: PathBuf,
    /// The lists in which it is looked up.
    pub catalogues: Catalogues,
    /// What the user says of its checksum; that of the catalogue counts in any case.
    pub checksum: Checksum,
    /// Who must have signed it.
    pub signature: Option<Signature>,
}

/// Whether `text` is a name and no path: there is nothing at `path`, which is what it would be as one, and it does not
/// look like a path. What begins with `/`, `./`, `../` or `~/`, or ends as files with images do, looks so.
pub fn is_name(text: &str, path: &Path) -> bool {
    let starts = ["/", "./", "../", "~/"];
    let lower = text.to_ascii_lowercase();
    let looks = starts.iter().any(|start| text.starts_with(start))
        || ["", ".", ".."].contains(&text)
        || ENDINGS.iter().any(|end| lower.ends_with(end));
    !looks && path.symlink_metadata().is_err()
}

impl Asked {
    /// The file on this machine that is asked for, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Asked::Source(Source {
                location: Location::Path(path),
                ..
            }) => Some(path),
            _ => None,
        }
    }

    /// The source: a name is looked up.
    ///
    /// # Errors
    /// As [`Catalogues::find`].
    pub fn find(&self, cache: &Cache, report: &dyn Report) -> Result<Source> {
        match self {
            Asked::Source(source) => Ok(source.clone()),
            Asked::Name(named) => named.find(cache, report),
        }
    }
}

impl fmt::Display for Asked {
    /// Without what may be secret in an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Source(source) => source.location.fmt(f),
            Asked::Name(named) => named.name.fmt(f),
        }
    }
}

impl Named {
    fn find(&self, cache: &Cache, report: &dyn Report) -> Result<Source> {
        let found = self.catalogues.find(&self.name, cache, report);
        let entry = found.map_err(|error| self.neither(error))?;
        let Entry {
            name,
            date,
            location,
            unpacked_digest,
            packed_digest,
            unpacked,
            devices,
            ..
        } = entry;
        report.tell(Event::Chosen {
            name,
            date,
            location: location.to_string(),
        });
        Ok(Source {
            location,
            checksum: self.checksum.clone(),
            signature: self.signature.clone(),
            listed: Some(Listed {
                image: unpacked_digest,
                packed: packed_digest,
                size: unpacked,
                devices,
            }),
        })
    }

    /// The error also says that there is no file.
    fn neither(&self, error: Error) -> Error {
        let hint = error.hint_text().unwrap_or_default();
        let hint = match crate::nearest::file(&self.path) {
            Some(file) => format!("did you mean {}?", file.display()),
            None => hint.to_owned(),
        };
        let what = format!("there is no file {}, and {error}", self.path.display());
        Error::new(error.kind(), what).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("raspios-lite-arm64"), "").unwrap();
        std::os::unix::fs::symlink("nothing", dir.path().join("dangling")).unwrap();
        let is_name = |text: &str| is_name(text, &dir.path().join(text));
        for name in [
            "raspios-lite-armhf",
            "Raspberry Pi OS Lite (64-bit)",
            "DietPi for Raspberry Pi 2/3/4",
            "Ubuntu 24.04",
        ] {
            assert!(is_name(name), "{name}");
        }
        for path in [
            "raspios-lite-arm64",
            "dangling",
            "./raspios",
            "../raspios",
            "/raspios",
            "~/raspios",
            "pi.img",
            "pi.IMG.XZ",
            ".",
            "..",
            "",
        ] {
            assert!(!is_name(path), "{path}");
        }
    }
}
