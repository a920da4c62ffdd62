//! The stage's directory: a tmpfs that exists in the stage's namespaces only.
//!
//! It is mounted on a directory of proc, of the proc that the stage itself has mounted before. So nothing of a run is on
//! the host, there is nothing to remove when it is killed, and runs at the same time do not see each other. The kernel
//! makes the directory with each proc, for a file system that the stage has no use for, and keeps it empty: without the
//! tmpfs nothing can be made in it, and nobody can remove it, which would take the tmpfs away with it.

use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

use crate::{error::Result, sys::mount};

/// Where it is (fs/proc/root.c: "somewhere for the nfsd filesystem to be mounted", with or without nfsd).
const PLACE: &str = "/proc/fs/nfsd";

/// Room for Ansible's own temporary files and our sockets, for twins, and for apt's lists while those are
/// fetched (some 200 MB for Ubuntu); not for data of the image.
const TMPFS: &str = "mode=0711,size=1g";

/// Its path, in the stage's namespaces.
pub fn path() -> &'static Path {
    Path::new(PLACE)
}

/// Where the nodes of the stage's loop devices are made.
pub fn nodes() -> PathBuf {
    path().join("dev")
}

/// Mounts it, in the namespaces of this process, which has a proc of its own.
pub fn mount() -> Result<()> {
    mount::virtual_fs("tmpfs", path(), MsFlags::MS_NOSUID, TMPFS)
}
