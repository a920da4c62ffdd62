//! What is known of a published tree.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::listing::Entry;
use crate::error::{Context, Kind, Result};

/// The form of the file.
const VERSION: u32 = 1;
/// The longest file that is read, in bytes: a boot partition has some thousand files.
const LIMIT: u64 = 64 << 20;

/// A generation: one state of what a machine boots from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of this file.
    version: u32,
    /// Which generation of the machine's it is, counted from 1.
    pub generation: u64,
    /// The inode number of the tree, by which it is known wherever it is.
    pub inode: u64,
    /// SHA-256 of the archive that it was unpacked from.
    pub sha256: String,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// Whether it has ever been served.
    pub served: bool,
    /// Its files, where changes of them are looked for.
    pub files: Option<Vec<Entry>>,
}

impl Record {
    /// Of the tree with this inode number, which was not served yet.
    pub fn new(
        generation: u64,
        inode: u64,
        sha256: String,
        time: u64,
        files: Option<Vec<Entry>>,
    ) -> Self {
        Record {
            version: VERSION,
            generation,
            inode,
            sha256,
            time,
            served: false,
            files,
        }
    }

    /// Of a tree that somebody else has made and that is served.
    pub fn foreign(generation: u64, inode: u64) -> Self {
        Record {
            served: true,
            ..Record::new(generation, inode, String::new(), 0, None)
        }
    }

    /// The records in the folder `state`, the oldest first. What is no record of ours is passed over.
    ///
    /// # Errors
    /// [`Kind::Host`] when the folder cannot be read.
    pub fn all(state: &Path) -> Result<Vec<Self>> {
        let failed = || format!("cannot read {}", state.display());
        let mut records = Vec::new();
        for entry in fs::read_dir(state).context(Kind::Host, failed)? {
            let path = entry.context(Kind::Host, failed)?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                records.extend(Record::read(&path).filter(|record| record.path(state) == path));
            }
        }
        records.sort_by_key(|record| record.generation);
        Ok(records)
    }

    fn read(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        let text = (meta.len() <= LIMIT).then(|| fs::read(path).ok())??;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Writes it to the folder `state`, in one step.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(state)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(self.path(state))?;
        File::open(state)?.sync_all()
    }

    /// Where it is in the folder `state`.
    pub fn path(&self, state: &Path) -> PathBuf {
        state.join(format!("{}.json", self.generation))
    }

    /// Where its tree is in the folder `state` while it is not served.
    pub fn tree(&self, state: &Path) -> PathBuf {
        state.join(self.generation.to_string())
    }
}
