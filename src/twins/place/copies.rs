//! Copies of the host's files, on the stage's tmpfs.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The name of the copy of `program` in `folder`, with a change; `None` if that cannot be made.
pub(super) fn copy_of(
    program: &Path,
    folder: &Path,
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> io::Result<Option<String>> {
    let hash = Sha256::digest(identity(program)?);
    let file = program.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{}-{file}", hex(&hash[..4]));
    let at = folder.join(&name);
    if !at.exists() {
        let Some(bytes) = change(fs::read(program)?) else {
            return Ok(None);
        };
        fs::create_dir_all(folder)?;
        write(&bytes, &at)?;
    }
    Ok(Some(name))
}

/// What tells a file of the host from another, and from what an upgrade puts in its place.
pub(super) fn identity(path: &Path) -> io::Result<Vec<u8>> {
    let now = fs::metadata(path)?;
    let numbers = [
        now.ino(),
        now.size(),
        now.ctime() as u64,
        now.ctime_nsec() as u64,
    ];
    let numbers = numbers.into_iter().flat_map(u64::to_le_bytes);
    let path = path.as_os_str().as_encoded_bytes();
    Ok(path.iter().copied().chain([0]).chain(numbers).collect())
}

pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    write(&fs::read(from)?, to)
}

/// Writes a file that appears whole.
pub(super) fn write(bytes: &[u8], to: &Path) -> io::Result<()> {
    let mut new = to.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, to)
}
