//! Which of the programs that are answered an image has, and which files those are.

use std::{
    collections::BTreeSet,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::chroot::living::tools::NAMES;

/// Where distributions have them, below the root.
pub const FOLDERS: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

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

/// All of them, in the image at `root`.
pub fn all(root: &Path) -> Vec<Present> {
    let folders = FOLDERS
        .iter()
        .filter_map(|folder| fs::canonicalize(root.join(folder)).ok());
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn each_file_is_found_once_and_another_content_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/sbin")).unwrap();
        symlink("usr/sbin", root.join("sbin")).unwrap();
        let names = || -> Vec<_> { all(root).iter().map(|it| it.name).collect() };
        let program = root.join("usr/sbin/reboot");
        fs::write(&program, "one").unwrap();
        fs::create_dir(root.join("usr/sbin/halt")).unwrap();
        symlink("nowhere", root.join("usr/sbin/poweroff")).unwrap();
        // Nobody can run it.
        assert!(names().is_empty());
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        symlink("reboot", root.join("usr/sbin/shutdown")).unwrap();
        assert_eq!(names(), ["reboot", "shutdown"]);
        let before = all(root);
        assert_eq!(before[0].file, before[1].file);
        fs::write(&program, "two").unwrap();
        assert_ne!(all(root)[0].file, before[0].file);
    }
}
