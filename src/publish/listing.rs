//! Whether somebody has changed a tree since it was made: a Pi writes a new kernel to its boot files, over NFS.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// How deep a tree may be, and how many files it may have.
const DEEPEST: usize = 32;
const MOST: usize = 100_000;

/// A file of a tree, by what changes when it is written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Its path below the tree.
    pub path: PathBuf,
    /// Its kind and its permissions.
    mode: u32,
    /// Its size, in bytes; nothing of a folder's.
    size: u64,
    /// When it was written, in seconds since 1970, and nanoseconds; nothing of a folder's, which its files change.
    time: (i64, i64),
}

/// Everything below `root`, in the order of paths. Links are not followed.
///
/// # Errors
/// Those of reading it; also where there is more than a boot partition has.
pub fn of(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    walk(root, Path::new(""), 0, &mut entries)?;
    entries.sort();
    Ok(entries)
}

fn walk(root: &Path, below: &Path, depth: usize, entries: &mut Vec<Entry>) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("its folders are too deep"));
    }
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let meta = entry.metadata()?;
        let is_folder = meta.is_dir();
        entries.push(Entry {
            path: path.clone(),
            mode: meta.mode(),
            size: if is_folder { 0 } else { meta.size() },
            time: if is_folder {
                (0, 0)
            } else {
                (meta.mtime(), meta.mtime_nsec())
            },
        });
        if entries.len() > MOST {
            return Err(io::Error::other("it has too many files"));
        }
        if is_folder {
            walk(root, &path, depth + 1, entries)?;
        }
    }
    Ok(())
}

/// The paths that are in one of the two and not the same in the other.
pub fn different(before: &[Entry], now: &[Entry]) -> Vec<PathBuf> {
    let not_in = |entry: &&Entry, others: &[Entry]| others.binary_search(entry).is_err();
    let gone = before.iter().filter(|entry| not_in(entry, now));
    let new = now.iter().filter(|entry| not_in(entry, before));
    let mut paths: Vec<_> = gone.chain(new).map(|entry| entry.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_made_and_removed_is_different() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("overlays")).unwrap();
        for name in ["overlays/one.dtbo", "kernel", "same", "gone"] {
            fs::write(at(name), name).unwrap();
        }
        let before = of(dir.path()).unwrap();
        assert!(different(&before, &of(dir.path()).unwrap()).is_empty());
        fs::write(at("kernel"), "KERNEL!").unwrap();
        fs::remove_file(at("gone")).unwrap();
        fs::write(at("overlays/two.dtbo"), "").unwrap();
        let paths = different(&before, &of(dir.path()).unwrap());
        let names: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["gone", "kernel", "overlays/two.dtbo"]);
    }
}
