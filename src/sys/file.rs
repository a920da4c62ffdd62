//! File system calls that std does not have: files without a name, reflinks, data extents.

#![allow(unsafe_code)]

use std::{
    ffi::OsStr,
    fs::File,
    io,
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag},
    unistd::{Whence, linkat, lseek},
};

/// FICLONE of `linux/fs.h`.
const FICLONE: u64 = linux_raw_sys::ioctl::FICLONE as u64;

/// Opens a new file in `dir` that has no name yet: the kernel removes it when its last descriptor
/// is closed, however the process ends. [`link_file`] gives it a name.
///
/// # Errors
/// EOPNOTSUPP (EISDIR or EINVAL on some file systems) where the file system cannot do it.
pub fn open_unnamed(dir: &Path, mode: u32) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .mode(mode)
        .custom_flags(OFlag::O_TMPFILE.bits())
        .open(dir)
}

/// Gives the open `file` the name `name` in the directory `dir`, never replacing anything.
pub fn link_file(file: &File, dir: &File, name: &OsStr) -> io::Result<()> {
    let through_proc = format!("/proc/self/fd/{}", file.as_raw_fd());
    let done = linkat(
        AT_FDCWD,
        through_proc.as_str(),
        dir,
        name,
        AtFlags::AT_SYMLINK_FOLLOW,
    );
    match done {
        // No /proc; this way needs a capability instead.
        Err(Errno::ENOENT) => Ok(linkat(file, "", dir, name, AtFlags::AT_EMPTY_PATH)?),
        other => Ok(other?),
    }
}

/// Makes `to` share all blocks of `from` (a reflink), where the file system can.
pub fn clone_file(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: FICLONE takes a file descriptor by value and touches no memory of ours; both
    // descriptors are open for the length of the call.
    let result =
        unsafe { nix::libc::ioctl(to.as_raw_fd(), FICLONE as _, from.as_fd().as_raw_fd()) };
    Errno::result(result)?;
    Ok(())
}

/// The next range of `file` at or after byte `at` that holds data; `None` when only holes follow.
///
/// A file system that does not know holes gives everything up to the end. Moves the file's offset.
pub fn next_data(file: &File, at: u64) -> io::Result<Option<Range<u64>>> {
    let start = match lseek(file, at as i64, Whence::SeekData) {
        Err(Errno::ENXIO) => return Ok(None),
        other => other?,
    };
    let end = lseek(file, start, Whence::SeekHole)?;
    Ok(Some(start as u64..end as u64))
}

/// Copies up to `len` bytes at offset `at` from one file to the same offset of another, inside the
/// kernel; returns how many were copied.
pub fn copy_range(from: &File, to: &File, at: u64, len: u64) -> io::Result<u64> {
    let (mut read, mut write) = (at as i64, at as i64);
    // SAFETY: both offsets outlive the call, which writes to them; the descriptors are open.
    let copied = unsafe {
        nix::libc::copy_file_range(
            from.as_raw_fd(),
            &raw mut read,
            to.as_raw_fd(),
            &raw mut write,
            len as usize,
            0,
        )
    };
    Ok(Errno::result(copied)? as u64)
}

/// Asks the kernel to begin writing `range` of `file` to the disk, without waiting for it.
///
/// Only a hint, so that a later fsync finds little left to do; failure does no harm.
pub fn start_writeback(file: &File, range: Range<u64>) {
    // SAFETY: takes plain integers and an open descriptor.
    unsafe {
        nix::libc::sync_file_range(
            file.as_raw_fd(),
            range.start as i64,
            (range.end - range.start) as i64,
            nix::libc::SYNC_FILE_RANGE_WRITE,
        );
    }
}

/// Whether `error` says that there is no room, or that a quota is used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether the program has file capabilities, so that the kernel gives it privileges when it starts.
///
/// What cannot be asked counts as having some, but for a file system without attributes.
pub fn has_capabilities(file: &File) -> bool {
    // SAFETY: the name is a C string, and with a size of 0 no value is written.
    let size = unsafe {
        nix::libc::fgetxattr(
            file.as_raw_fd(),
            c"security.capability".as_ptr(),
            std::ptr::null_mut(),
            0,
        )
    };
    !matches!(Errno::result(size), Err(Errno::ENODATA | Errno::EOPNOTSUPP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn an_unnamed_file_gets_a_name_and_never_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let open = File::open(dir.path()).unwrap();
        let file = match open_unnamed(dir.path(), 0o600) {
            Err(error) if error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => {
                return crate::skip::skip("the file system of TMPDIR has no O_TMPFILE");
            }
            file => file.unwrap(),
        };
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        link_file(&file, &open, OsStr::new("a")).unwrap();
        let again = link_file(&file, &open, OsStr::new("a")).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn data_is_found_behind_a_hole() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 << 20).unwrap();
        file.write_all_at(b"x", 1 << 20).unwrap();
        let data = next_data(&file, 0).unwrap().unwrap();
        assert!(data.contains(&(1 << 20)));
        assert!(next_data(&file, 4 << 20).unwrap().is_none());
    }
}
