//! Pieces of an image that are replaced.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Bytes, and where in the image they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where, in bytes from the start.
    pub at: u64,
    /// What is to be there.
    pub bytes: Vec<u8>,
}

/// Writes `patches` into `image`.
pub fn write(image: &File, patches: &[Patch]) -> io::Result<()> {
    patches
        .iter()
        .try_for_each(|patch| image.write_all_at(&patch.bytes, patch.at))
}
