//! Where the checks find files: a folder that is published, or the root of an image. Both are a stranger's.

use std::{fmt, io, path::Path};

use nix::{errno::Errno, sys::stat::SFlag};

use crate::sys::inroot::Root;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a socket, a fifo.
    Other,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: Kind,
    /// Its permissions.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
}

/// Files below a root, which no path leaves.
pub trait Tree {
    /// What is in the regular file at `path`; `None` if there is nothing.
    ///
    /// # Errors
    /// Also where the file has more than `limit` bytes, or is no regular file.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// What `path` leads to; `None` if that is nothing.
    ///
    /// # Errors
    /// Those of the tree.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// Where the link at `path` leads, as it is written; `None` for anything but a link.
    ///
    /// # Errors
    /// Those of the tree.
    fn link(&self, path: &Path) -> io::Result<Option<String>>;

    /// The names in the directory at `path`, sorted; none if there is no directory.
    ///
    /// # Errors
    /// Also where there are more than `limit`.
    fn list(&self, path: &Path, limit: usize) -> io::Result<Vec<String>>;
}

impl Tree for Root {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = known(self.file(path))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("more than {limit} bytes")));
        }
        Ok(Some(bytes))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let found = known(self.status(path).map_err(io::Error::from))?;
        Ok(found.map(|found| Stat {
            kind: match SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) {
                SFlag::S_IFREG => Kind::File,
                SFlag::S_IFDIR => Kind::Directory,
                _ => Kind::Other,
            },
            mode: found.st_mode & 0o7777,
            size: u64::try_from(found.st_size).unwrap_or(0),
        }))
    }

    fn link(&self, path: &Path) -> io::Result<Option<String>> {
        let target = known(Root::link(self, path).map_err(io::Error::from))?.flatten();
        Ok(target.map(|target| target.to_string_lossy().into_owned()))
    }

    fn list(&self, path: &Path, limit: usize) -> io::Result<Vec<String>> {
        let mut names = known(self.names(path, limit))?.unwrap_or_default();
        names.sort_unstable();
        Ok(names)
    }
}

/// Nothing for what is not there, links in a circle among it.
fn known<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    let nothing = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP].map(|errno| errno as i32);
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|code| nothing.contains(&code)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// An error with the path that it is about.
pub fn at(path: &str, error: &dyn fmt::Display) -> io::Error {
    io::Error::other(format!("cannot read {path}: {error}"))
}
