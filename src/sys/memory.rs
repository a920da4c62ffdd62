//! Files in memory that nobody can change any more.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Seek, Write},
    os::{fd::AsFd, unix::fs::FileExt},
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

/// What keeps the content as it is.
const CONTENT: SealFlag = SealFlag::F_SEAL_WRITE
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_SHRINK);

/// An empty file in memory, to be filled and then [`seal`]ed. `name` is what /proc shows.
pub fn create(name: &str) -> io::Result<File> {
    let name = CString::new(name)?;
    let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
    Ok(File::from(memfd_create(name.as_c_str(), flags)?))
}

/// Forbids every change of the content from now on, to everybody.
pub fn seal(file: &File) -> io::Result<()> {
    let seals = FcntlArg::F_ADD_SEALS(CONTENT | SealFlag::F_SEAL_SEAL);
    fcntl(file, seals)?;
    Ok(())
}

/// A sealed file with this content, to be read from its beginning.
pub fn sealed(name: &str, content: &[u8]) -> io::Result<File> {
    let mut file = create(name)?;
    file.write_all(content)?;
    file.rewind()?;
    seal(&file)?;
    Ok(file)
}

/// Whether `file` is one in memory whose content stays as it is.
pub fn is_sealed(file: &impl AsFd) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_retain(seals).contains(CONTENT))
}

/// All of a sealed file, without moving its position.
///
/// # Errors
/// When it has more than `limit` bytes.
pub fn content(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_cannot_be_changed_and_others_are_not_taken_for_one() {
        let mut file = sealed("test", b"as it is").unwrap();
        assert!(is_sealed(&file));
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
        assert_eq!(content(&file, 100).unwrap(), b"as it is");
        assert!(content(&file, 3).is_err());
        assert!(!is_sealed(&create("test").unwrap()));
        assert!(!is_sealed(&File::open("/dev/null").unwrap()));
        assert!(!is_sealed(&io::pipe().unwrap().0));
    }
}
