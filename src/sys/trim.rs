//! FITRIM: telling the device under a file system which blocks are free.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use linux_raw_sys::{general::fstrim_range, ioctl::FITRIM};

#[allow(unsafe_code)]
mod ioctl {
    use super::{FITRIM, fstrim_range};
    nix::ioctl_readwrite_bad!(trim, FITRIM, fstrim_range);
}

/// Discards every free block of the file system that `directory` is on; on a loop device that makes
/// holes in the image file, which read as zeros. Returns the bytes discarded.
pub fn free_blocks(directory: &impl AsFd) -> io::Result<u64> {
    let mut range = fstrim_range {
        start: 0,
        len: u64::MAX,
        minlen: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: `range` lives across the call.
    unsafe { ioctl::trim(directory.as_fd().as_raw_fd(), &mut range) }?;
    Ok(range.len)
}
