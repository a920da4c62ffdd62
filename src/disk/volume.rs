//! A partition and what it holds.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};

use super::{
    partition::{Partition, Table},
    probe::{FileSystem, FsKind, probe},
    slice::Slice,
    table::read_table,
};
use crate::error::Result;

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

/// The partition table of the image `name` of `size` bytes, and what its partitions hold.
///
/// # Errors
/// As [`read_table`].
pub fn read<R: Read + Seek + Copy>(
    image: R,
    size: u64,
    name: &str,
) -> Result<(Table, Vec<Volume>)> {
    let mut reader = image;
    let table = read_table(&mut reader, size, name)?;
    let probed = |partition: &Partition| {
        let mut slice = Slice::new(image, partition.start, partition.size);
        Volume {
            fs: probe(&mut slice),
            partition: partition.clone(),
        }
    };
    let volumes = table.partitions.iter().map(probed).collect();
    Ok((table, volumes))
}
