//! Remembers which files had which checksum, so that a run does not read all programs again.
//!
//! By inode, time of change, size and checksum, not by path or device: the copies of one image all
//! have the same. An image that forges them gets the twins of programs that it does not have,
//! which is its own harm.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};

use crate::hex::hex;

/// The largest file whose checksum is taken.
const MAX_FILE: u64 = 64 << 20;
/// With more than this only those of the last run are kept.
const MAX_KNOWN: usize = 20_000;

/// What is known of files.
#[derive(Debug)]
pub struct Verified {
    path: PathBuf,
    known: BTreeSet<String>,
    used: RefCell<BTreeSet<String>>,
    changed: Cell<bool>,
}

impl Verified {
    /// What the file at `path` remembers; nothing where there is none.
    pub fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        Verified {
            path: path.to_owned(),
            known: serde_json::from_slice(&text).unwrap_or_default(),
            used: RefCell::default(),
            changed: Cell::default(),
        }
    }

    /// Whether the MD5 of `file`, in hexadecimal, is `sum`.
    pub fn is(&self, file: &File, sum: &str) -> bool {
        let Ok(metadata) = file.metadata() else {
            return false;
        };
        let key = key(&metadata, sum);
        let right = self.known.contains(&key) || md5(file).is_ok_and(|found| found == sum);
        if right {
            self.changed
                .set(self.changed.get() || !self.known.contains(&key));
            self.used.borrow_mut().insert(key);
        }
        right
    }

    /// Writes down what is new. Best effort: it only saves time, and so does what a run beside this
    /// one writes over it.
    pub fn save(&self) {
        if !self.changed.get() {
            return;
        }
        let mut all = self.used.borrow().clone();
        if self.known.len() < MAX_KNOWN {
            all.extend(self.known.iter().cloned());
        }
        let write = || {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, &all)?;
            file.flush()?;
            file.persist(&self.path)?;
            io::Result::Ok(())
        };
        let _ = write();
    }
}

fn key(of: &Metadata, sum: &str) -> String {
    let (seconds, nanoseconds) = (of.ctime(), of.ctime_nsec());
    format!("{} {seconds}.{nanoseconds} {} {sum}", of.ino(), of.len())
}

fn md5(file: &File) -> io::Result<String> {
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    let mut file = file.take(MAX_FILE);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_and_again_when_it_changed() {
        const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";
        let dir = tempfile::tempdir().unwrap();
        let (path, cache) = (dir.path().join("file"), dir.path().join("cache"));
        fs::write(&path, "abc").unwrap();
        let verified = Verified::read(&cache);
        assert!(verified.is(&File::open(&path).unwrap(), ABC));
        assert!(!verified.is(&File::open(&path).unwrap(), "0"));
        verified.save();
        let again = Verified::read(&cache);
        assert_eq!(again.known.len(), 1);
        assert!(again.is(&File::open(&path).unwrap(), ABC) && !again.changed.get());
        fs::write(&path, "abd").unwrap();
        assert!(!again.is(&File::open(&path).unwrap(), ABC));
    }
}
