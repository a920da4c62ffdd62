//! The stage's directory: a tmpfs that exists in the stage's namespaces only.
//!
//! It is mounted on a directory of proc, of the proc that the stage itself has mounted before. So nothing of a run is on
//! the host, there is nothing to remove when it is killed, and runs at the same time do not see each other. Where the tmpfs
//! is not, or not any more, nothing can be made in its place.

use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

use crate::{error::Result, sys::mount};

/// Room for Ansible's own temporary files and our sockets, for twins, and for apt's lists while those are
/// fetched (some 200 MB for Ubuntu); not for data of the image.
const TMPFS: &str = "mode=0711,size=1g";

/// Its path, in the stage's namespaces.
pub fn path() -> &'static Path {
    Path::new(mount::EMPTY_DIRECTORY)
}

/// Where the nodes of the stage's loop devices are made.
pub fn nodes() -> PathBuf {
    path().join("dev")
}

/// Mounts it, in the namespaces of this process, which has a proc of its own.
pub fn mount() -> Result<()> {
    mount::virtual_fs("tmpfs", path(), MsFlags::MS_NOSUID, TMPFS)
}
