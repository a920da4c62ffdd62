//! Rights of files (capabilities(7)), an extended attribute that the kernel keeps in another form for programs in a user
//! namespace.

use std::{ffi::CStr, fs::File, io, os::fd::AsRawFd};

const NAME: &CStr = c"security.capability";
/// The longest form, in bytes (VFS_CAP_U32_3 of linux/capability.h).
const LONGEST: usize = 24;

/// Writes the rights of a file anew, if it has some: in the form that they have when root itself gives them.
///
/// # Errors
/// When that cannot be done.
pub fn write_anew(file: &File) -> io::Result<()> {
    let mut rights = [0_u8; LONGEST];
    #[allow(unsafe_code)]
    // SAFETY: the kernel writes no more than the length that it is told.
    let length = unsafe {
        nix::libc::fgetxattr(
            file.as_raw_fd(),
            NAME.as_ptr(),
            rights.as_mut_ptr().cast(),
            LONGEST,
        )
    };
    let length = match usize::try_from(length) {
        Ok(length) => length,
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(nix::libc::ENODATA) => return Ok(()),
            error => return Err(error),
        },
    };
    #[allow(unsafe_code)]
    // SAFETY: `length` bytes of the buffer are those that the kernel has just written.
    let done = unsafe {
        nix::libc::fsetxattr(
            file.as_raw_fd(),
            NAME.as_ptr(),
            rights.as_ptr().cast(),
            length,
            0,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
