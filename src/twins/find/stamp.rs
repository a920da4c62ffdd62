//! Whether a file or a folder is still the one that was looked at.

use std::{fs::Metadata, os::unix::fs::MetadataExt};

/// A file or a folder as it was: one that replaces it, or a change of what it holds, has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its inode number.
    pub inode: u64,
    /// Its device.
    pub device: u64,
    /// Its time of modification, in seconds and nanoseconds.
    pub modified: [i64; 2],
}

impl From<Metadata> for Stamp {
    fn from(metadata: Metadata) -> Self {
        Stamp {
            inode: metadata.ino(),
            device: metadata.dev(),
            modified: [metadata.mtime(), metadata.mtime_nsec()],
        }
    }
}
