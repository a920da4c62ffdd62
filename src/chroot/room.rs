//! Why an image does not take a file.

use nix::sys::statvfs::fstatvfs;

use crate::{error::Error, sys::inroot::Root};

/// `error` of something that was to be made in the image at `root`, with what to do about it. No room is the image's
/// fault, and not that of this machine's disk.
pub fn explain(root: &Root, error: Error) -> Error {
    let state = root.locate("etc".as_ref()).and_then(fstatvfs);
    let full = state.ok().and_then(|state| {
        // Some file systems do not count inodes.
        let inodes = state.files() > 0 && state.files_free() == 0;
        let full = inodes || state.blocks_available() == 0;
        full.then_some(inodes)
    });
    match full {
        None => error.hint("is the image's file system read-only? see `dmesg`"),
        Some(true) => Error::image(error.to_string()).hint(
            "the image's file system has no free inodes: remove files from it, or make it with more (mke2fs -N)",
        ),
        Some(false) => Error::image(error.to_string())
            .hint("the image's file system is full: remove files from it, or start from a larger image"),
    }
}
