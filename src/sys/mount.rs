//! Mounting: by an explicit type, with the flags that make a stranger's file system harmless.

use std::path::Path;

use nix::{
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        stat::Mode,
        statfs::{FsType, fstatfs},
    },
};
use sys_mount::{Mount, MountFlags};

use super::inroot::path_of;
use crate::error::{Context, Kind, Result};

/// include/uapi/linux/magic.h
const BINFMTFS_MAGIC: FsType = FsType(0x4249_4e4d);

/// Cuts every mount of this namespace off from the others: nothing propagates, in or out.
pub fn make_all_private() -> Result<()> {
    set(
        "/".as_ref(),
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        "cannot make / private",
    )
}

/// Where Linux shows binfmt_misc.
const BINFMT_TABLE: &str = "/proc/sys/fs/binfmt_misc";

/// Mounts the proc of this PID namespace over the host's, which numbers processes otherwise.
///
/// The host's binfmt_misc stays in sight below it, where it is mounted: kernels without one for
/// user namespaces (before 6.7) need it. It is not asked for, as that would make systemd mount it.
pub fn fresh_proc() -> Result<()> {
    let table = open(
        BINFMT_TABLE,
        OFlag::O_PATH | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .ok()
    .filter(|table| fstatfs(table).is_ok_and(|fs| fs.filesystem_type() == BINFMTFS_MAGIC));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    virtual_fs("proc", "/proc".as_ref(), flags, "")?;
    match table {
        Some(table) => bind(&path_of(&table), BINFMT_TABLE.as_ref(), false),
        None => Ok(()),
    }
}

/// Mounts `source` of type `kind` on `at`.
///
/// The type is always given: guessing it from a stranger's data would try every driver.
///
/// # Errors
/// [`Kind::Image`] when the kernel does not accept the file system; its message says why.
pub fn device(source: &Path, kind: &str, at: &Path, flags: MountFlags, data: &str) -> Result<()> {
    let mounted = Mount::builder()
        .fstype(kind)
        .flags(flags)
        .data(data)
        .mount(source, at);
    // Mount is no guard: dropping it does nothing. The stage's teardown stack unmounts.
    mounted.map(drop).context(Kind::Image, || {
        format!("cannot mount {} as {kind}", source.display())
    })
}

/// Mounts a kernel file system, such as proc or tmpfs, on `at`.
pub fn virtual_fs(kind: &str, at: &Path, flags: MsFlags, data: &str) -> Result<()> {
    mount(Some(kind), at, Some(kind), flags, Some(data)).context(Kind::Host, || {
        format!("cannot mount a {kind} on {}", at.display())
    })
}

/// Shows `what` also at `at`; its submounts too if `recursive`.
pub fn bind(what: &Path, at: &Path, recursive: bool) -> Result<()> {
    let flags = if recursive {
        MsFlags::MS_BIND | MsFlags::MS_REC
    } else {
        MsFlags::MS_BIND
    };
    mount(Some(what), at, None::<&str>, flags, None::<&str>).context(Kind::Host, || {
        format!("cannot bind {} on {}", what.display(), at.display())
    })
}

/// Makes the mount that `at` is the root of read-only, without devices or setuid programs.
pub fn make_read_only(at: &Path) -> Result<()> {
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | harmless;
    set(at, flags, "cannot make the bind mount read-only")
}

fn set(at: &Path, flags: MsFlags, failed: &str) -> Result<()> {
    mount(None::<&str>, at, None::<&str>, flags, None::<&str>)
        .context(Kind::Host, || format!("{failed}: {}", at.display()))
}

/// Unmounts `at`, waiting for the file system's last write.
///
/// # Errors
/// [`Kind::Teardown`]; EBUSY means that something still uses it.
pub fn unmount(at: &Path) -> Result<()> {
    umount2(at, MntFlags::UMOUNT_NOFOLLOW).context(Kind::Teardown, || {
        format!("cannot unmount {}", at.display())
    })
}

/// Makes `root`, a mount point, this process' root, with nothing of the old root left in reach.
pub fn pivot_into(root: &Path) -> Result<()> {
    let failed = || format!("cannot make {} the root", root.display());
    // A mount that came from a more privileged namespace is locked and no new root can be made of
    // it; a recursive bind of it on itself is ours, and what is mounted below stays locked.
    bind(root, root, true)?;
    nix::unistd::chdir(root).context(Kind::Host, failed)?;
    // Stacks the old root on the new one, then takes it away.
    nix::unistd::pivot_root(".", ".").context(Kind::Host, failed)?;
    umount2(".", MntFlags::MNT_DETACH).context(Kind::Host, failed)?;
    nix::unistd::chdir("/").context(Kind::Host, failed)
}
