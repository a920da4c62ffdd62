//! Why an image does not take a file.

use nix::sys::statvfs::fstatvfs;

use crate::sys::inroot::Root;

/// What to do about it.
pub fn hint(root: &Root) -> &'static str {
    let state = root.locate("etc".as_ref()).and_then(fstatvfs);
    match state {
        // Some file systems do not count inodes.
        Ok(state) if state.files() > 0 && state.files_free() == 0 => {
            "the image's file system has no free inodes: remove files from it, or make it with more (mke2fs -N)"
        }
        Ok(state) if state.blocks_available() == 0 => {
            "the image's file system is full: remove files from it, or start from a larger image"
        }
        _ => "is the image's file system read-only? see `dmesg`",
    }
}
