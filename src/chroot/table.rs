//! The binfmt_misc of this user namespace: which programs the kernel starts through others. Only the image's programs see it.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat},
    mount::MsFlags,
    sys::stat::Mode,
};

use crate::sys::{
    inroot::{Root, path_of},
    mount,
};

/// Where Linux has it.
pub const PLACE: &str = "proc/sys/fs/binfmt_misc";

/// It, mounted. The handle stays good wherever the image mounts something else.
#[derive(Debug)]
pub struct Table(OwnedFd);

impl Table {
    /// Mounts it below `root`. None where the kernel has none for user namespaces (before Linux 6.7).
    pub fn mount(root: &Path) -> Option<Self> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        // The image's /proc may be a link.
        let root = Root::open(root).ok()?;
        let at = root.locate(PLACE.as_ref()).ok()?;
        mount::virtual_fs("binfmt_misc", &path_of(&at), flags, "").ok()?;
        let open = OFlag::O_PATH | OFlag::O_DIRECTORY;
        Some(Table(
            root.open_at(PLACE.as_ref(), open, Mode::empty()).ok()?,
        ))
    }

    /// Makes an entry, of this [line](crate::emulation::binfmt::entry).
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn register(&self, line: &[u8]) -> io::Result<()> {
        self.write("register", line)
    }

    /// Removes the entry `name`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.write(name, b"-1")
    }

    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.0, &PathBuf::from(name), flags, Mode::empty())?;
        File::from(file).write_all(text)
    }
}
