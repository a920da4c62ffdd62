//! Files in and out of the chroot, through pipes.
//!
//! The image is our root, so its paths mean what they mean to its programs. Links of /proc that lead
//! to an open file of ours are not followed.

use std::{
    ffi::OsStr,
    fs::{File, Permissions},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, PermissionsExt, fchown},
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat, renameat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};

use super::protocol::{Fetch, Put};
use crate::sys::inroot::Root;

/// The mode of a new file: Ansible sends modules with their parameters.
const NEW: u32 = 0o600;
/// As many links as the kernel follows in a path.
const MAX_LINKS: u32 = 40;

/// Writes what comes from a pipe to a file, whole or not at all.
pub fn put(put: Put, from: OwnedFd) -> io::Result<()> {
    let root = root()?;
    replace(&root, &put, File::from(from)).map_err(|error| about(&put.path, error))
}

/// Writes a regular file to a pipe.
pub fn fetch(fetch: Fetch, to: OwnedFd) -> io::Result<()> {
    let copied = root()?
        .file(Path::new(&fetch.path))
        .and_then(|mut file| io::copy(&mut file, &mut File::from(to)));
    copied.map(drop).map_err(|error| about(&fetch.path, error))
}

fn root() -> io::Result<Root> {
    Root::open(Path::new("/")).map_err(|error| io::Error::other(error.to_string()))
}

fn about(path: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

fn replace(root: &Root, put: &Put, from: File) -> io::Result<()> {
    let path = end_of_links(root, Path::new(&put.path))?;
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = path.parent().ok_or(io::ErrorKind::IsADirectory)?;
    let directory = OFlag::O_DIRECTORY | OFlag::O_PATH;
    let folder = root.open_at(folder, directory, Mode::empty())?;
    let old = match root.locate(&path) {
        Ok(old) => Some(File::from(old).metadata()?),
        Err(nix::Error::ENOENT) => None,
        Err(errno) => return Err(errno.into()),
    };
    if old.as_ref().is_some_and(|old| old.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(io::Error::other("not a regular file"));
    }
    let (temporary, new) = create(&folder, name)?;
    let written = fill(&new, from, put, old);
    let done = written.and_then(|()| Ok(renameat(&folder, temporary.as_path(), &folder, name)?));
    if done.is_err() {
        let _ = unlinkat(&folder, temporary.as_path(), UnlinkatFlags::NoRemoveDir);
    }
    done
}

/// Where `path` leads, when its last component is a link; that need not exist.
fn end_of_links(root: &Root, path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let link = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let target = root
            .open_at(&path, link, Mode::empty())
            .and_then(|at| nix::fcntl::readlinkat(&at, ""));
        match target {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            // Not a link, or nothing at all.
            Err(nix::Error::EINVAL | nix::Error::ENOENT) => return Ok(path),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(nix::Error::ELOOP.into())
}

/// A new file beside the one of this name.
fn create(folder: &OwnedFd, name: &OsStr) -> io::Result<(PathBuf, File)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    let mut start = name.as_bytes().to_owned();
    // Room for the number in the 255 bytes that a name may have.
    start.truncate(230);
    for number in 0_u32..1000 {
        let mut temporary = b".".to_vec();
        temporary.extend(&start);
        temporary.extend(format!(".{}~", std::process::id() + number).bytes());
        let temporary = PathBuf::from(OsStr::from_bytes(&temporary));
        let mode = Mode::from_bits_truncate(NEW);
        match openat(folder, &temporary, flags | OFlag::O_CLOEXEC, mode) {
            Ok(new) => return Ok((temporary, File::from(new))),
            Err(nix::Error::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn fill(new: &File, from: File, put: &Put, old: Option<std::fs::Metadata>) -> io::Result<()> {
    let copied = io::copy(&mut from.take(put.size), &mut &*new)?;
    if copied < put.size {
        let early = format!("the content ends after {copied} of {} bytes", put.size);
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, early));
    }
    let owner = put.owner.or(old.as_ref().map(|old| (old.uid(), old.gid())));
    if let Some((user, group)) = owner {
        fchown(new, Some(user), Some(group))?;
    }
    // After the owner, whose change takes setuid bits away.
    let mode = put.mode.or(old.map(|old| old.mode())).unwrap_or(NEW);
    new.set_permissions(Permissions::from_mode(mode & 0o7777))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn try_put(top: &Path, path: &str, content: &[u8], size: usize) -> io::Result<()> {
        let (from, mut to) = io::pipe()?;
        io::Write::write_all(&mut to, content)?;
        drop(to);
        let put = Put {
            path: path.into(),
            size: size as u64,
            mode: None,
            owner: None,
        };
        replace(
            &Root::open(top).unwrap(),
            &put,
            File::from(OwnedFd::from(from)),
        )
    }

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_through_links_inside() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        fs::write(at("old"), "old").unwrap();
        fs::set_permissions(at("old"), Permissions::from_mode(0o4755)).unwrap();
        symlink("/../old", at("link")).unwrap();
        try_put(top.path(), "/link", b"new", 3).unwrap();
        assert_eq!(fs::read(at("old")).unwrap(), b"new");
        assert_eq!(fs::metadata(at("old")).unwrap().mode() & 0o7777, 0o4755);
        assert!(at("link").is_symlink());
        try_put(top.path(), "/fresh", b"x", 1).unwrap();
        assert_eq!(fs::metadata(at("fresh")).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_ends_early_or_cannot_be_replaced_changes_nothing() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        fs::write(at("old"), "old").unwrap();
        fs::create_dir(at("dir")).unwrap();
        symlink("loop", at("loop")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        for (path, size) in [
            ("/old", 5),
            ("/dir", 3),
            ("/loop", 3),
            ("/fifo", 3),
            ("/no/x", 3),
        ] {
            assert!(try_put(top.path(), path, b"new", size).is_err(), "{path}");
        }
        assert_eq!(fs::read(at("old")).unwrap(), b"old");
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 4);
    }
}
