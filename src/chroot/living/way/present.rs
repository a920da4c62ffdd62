//! Which of the programs that are answered an image has, and which files those are.

use std::{
    collections::BTreeSet,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::chroot::living::tools::NAMES;

/// Where distributions have them.
pub const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A program that is there.
#[derive(Debug)]
pub struct Present {
    /// Its name.
    pub name: &'static str,
    /// Its path; links are for whoever opens it.
    pub path: PathBuf,
    /// The file that this is.
    pub file: Identity,
}

/// What is another for every other content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Identity {
    fn from(file: &Metadata) -> Self {
        Identity {
            device: file.dev(),
            inode: file.ino(),
            size: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// All of them.
pub fn all() -> Vec<Present> {
    let folders = FOLDERS
        .iter()
        .filter_map(|folder| fs::canonicalize(folder).ok());
    // Mostly they are two.
    let folders: BTreeSet<PathBuf> = folders.collect();
    folders
        .iter()
        .flat_map(|folder| in_folder(folder))
        .collect()
}

fn in_folder(folder: &Path) -> impl Iterator<Item = Present> {
    NAMES.lines().filter_map(move |name| {
        let path = folder.join(name);
        let found = fs::metadata(&path).ok()?;
        let runs = found.is_file() && found.mode() & 0o111 != 0;
        runs.then(|| Present {
            name,
            file: (&found).into(),
            path,
        })
    })
}
