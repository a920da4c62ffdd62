//! A partition and what it holds.

use serde::{Deserialize, Serialize};

use super::{
    partition::Partition,
    probe::{FileSystem, FsKind},
};

/// A partition and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The partition.
    pub partition: Partition,
    /// What was recognised on it.
    pub fs: Option<FileSystem>,
}

impl Volume {
    /// The kind of its file system, where it can be mounted.
    pub(super) fn mountable(&self) -> Option<FsKind> {
        self.fs
            .as_ref()
            .map(|fs| fs.kind)
            .filter(|kind| kind.mount_type().is_some())
    }

    /// What it holds, in words.
    pub fn content(&self) -> &'static str {
        self.fs
            .as_ref()
            .map_or("nothing known", |fs| fs.kind.described())
    }
}
