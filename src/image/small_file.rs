//! Small files that the user names: lists of images, checksum files, signatures, keyrings.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use nix::fcntl::OFlag;

/// All of a regular file.
///
/// # Errors
/// Also when it is none; [`io::ErrorKind::FileTooLarge`] when it has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Without waiting, should it be a fifo.
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let what = format!("it is larger than {} MiB", limit >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_files_and_only_small_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, vec![7; 2 << 20]).unwrap();
        assert_eq!(read(&path, 2 << 20).unwrap().len(), 2 << 20);
        let error = read(&path, (2 << 20) - 1).unwrap_err().to_string();
        assert_eq!(error, "it is larger than 1 MiB");
        assert!(read(dir.path(), 1).is_err());
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&fifo, 1).unwrap_err().to_string(), "it is not a file");
    }
}
