//! Paths inside an image, resolved as the image's own programs would see them.
//!
//! Every path of the image that host-side code opens goes through openat2(RESOLVE_IN_ROOT): an
//! absolute symlink, or one with too many `..`, ends at the image's root and never at the host's.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat},
    sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat},
};

use crate::error::{Context, Kind, Result};

/// A directory that paths are resolved in.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the directory at `path` as a root.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty())
            .context(Kind::Other, || format!("cannot open {}", path.display()))?;
        Ok(Root { fd })
    }

    /// Opens `path` inside the root with `flags` (and `mode` with O_CREAT).
    pub fn open_at(&self, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        loop {
            match openat2(self.fd.as_fd(), path, how) {
                // The kernel asks for a retry when the tree changed under it.
                Err(nix::Error::EAGAIN | nix::Error::EINTR) => {}
                result => return result,
            }
        }
    }

    /// A handle on whatever `path` leads to, for mounting on it and for stat; opens nothing.
    pub fn locate(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.open_at(path, OFlag::O_PATH, Mode::empty())
    }

    /// The path by which this process reaches what `path` leads to.
    pub fn real(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path_of(&self.locate(path)?))
    }

    /// A handle on the directory at `path`, which is made if it is not there, and so are those above it.
    pub fn make_dirs(&self, path: &Path) -> nix::Result<OwnedFd> {
        let open = || self.open_at(path, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty());
        let (Err(Errno::ENOENT), Some(above), Some(name)) =
            (open(), path.parent(), path.file_name())
        else {
            return open();
        };
        match mkdirat(
            &self.make_dirs(above)?,
            name,
            Mode::from_bits_truncate(0o755),
        ) {
            // A link that leads nowhere, if nobody else has made it.
            Ok(()) | Err(Errno::EEXIST) => open(),
            Err(error) => Err(error),
        }
    }

    /// What the kernel knows of whatever `path` leads to.
    pub fn status(&self, path: &Path) -> nix::Result<FileStat> {
        fstat(&self.locate(path)?)
    }

    /// Where the link at `path` leads, as it is written; `None` for anything but a link.
    pub fn link(&self, path: &Path) -> nix::Result<Option<OsString>> {
        let found = self.open_at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW, Mode::empty())?;
        match SFlag::from_bits_truncate(fstat(&found)?.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFLNK => readlinkat(&found, "").map(Some),
            _ => Ok(None),
        }
    }

    /// Whether `path` leads to a directory.
    pub fn is_dir(&self, path: &Path) -> bool {
        self.kind(path) == Some(SFlag::S_IFDIR)
    }

    /// Whether `path` leads to a regular file.
    pub fn is_file(&self, path: &Path) -> bool {
        self.kind(path) == Some(SFlag::S_IFREG)
    }

    fn kind(&self, path: &Path) -> Option<SFlag> {
        let mode = self.status(path).ok()?.st_mode;
        Some(SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()))
    }

    /// Opens the regular file at `path` for reading. A fifo or device there is refused, and never
    /// waited for.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        let fd = self.open_at(
            path,
            OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
            Mode::empty(),
        )?;
        let mode = fstat(&fd)?.st_mode;
        if SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(File::from(fd))
    }

    /// The text of the regular file at `path`, at most `limit` bytes of it.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<String> {
        let file = self.file(path)?;
        // With a byte to spare, which is what tells that it has ended.
        let length = file.metadata()?.len().min(limit) + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What is in the directory at `path`, but for names that are no UTF-8.
    ///
    /// # Errors
    /// Also where there is more than `limit`.
    pub fn names(&self, path: &Path, limit: usize) -> io::Result<Vec<String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let folder = self.open_at(path, flags, Mode::empty())?;
        let mut names = Vec::new();
        for (count, entry) in std::fs::read_dir(path_of(&folder))?.enumerate() {
            if count == limit {
                return Err(io::Error::other(format!("more than {limit} files")));
            }
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }
}

/// The path by which this process reaches an open descriptor, for calls that want a path.
pub fn path_of(fd: &impl AsRawFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// Opens the host directory at `path` as a handle.
pub fn host_dir(path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_end_inside_the_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/hostname"), "inside").unwrap();
        for (name, target) in [
            ("abs", "/etc/hostname"),
            ("up", "../../../../../etc/hostname"),
        ] {
            symlink(target, dir.path().join(name)).unwrap();
            let root = Root::open(dir.path()).unwrap();
            assert_eq!(root.read(name.as_ref(), 100).unwrap(), "inside");
        }
    }

    #[test]
    fn a_link_is_read_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc/nowhere", dir.path().join("link")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let link = |name: &str| root.link(name.as_ref());
        assert_eq!(link("link").unwrap().unwrap(), "/etc/nowhere");
        assert_eq!(link("file").unwrap(), None);
        assert_eq!(link("nothing"), Err(Errno::ENOENT));
    }

    #[test]
    fn a_fifo_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("sh"), Mode::S_IRWXU).unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert!(root.file("sh".as_ref()).is_err());
    }
}
