//! Mounting: by an explicit type, with the flags that make a stranger's file system harmless.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        stat::{Mode, SFlag, mknod, stat},
        statfs::{FsType, fstatfs},
    },
};
use sys_mount::{Mount, MountFlags};

use super::inroot::{host_dir, path_of};
use crate::error::{Context, Error, Kind, Result};

/// include/uapi/linux/magic.h
const BINFMTFS_MAGIC: FsType = FsType(0x4249_4e4d);

/// Makes every mount of this namespace follow the host's: nothing that is mounted here is seen there, and what the host
/// unmounts is unmounted here, too. Private copies would keep a card in use that its user takes for unmounted.
pub fn follow_host() -> Result<()> {
    set(
        "/".as_ref(),
        MsFlags::MS_REC | MsFlags::MS_SLAVE,
        "cannot make the mounts follow the host's",
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

/// A directory of proc to mount on, once there is a [`fresh_proc`] (fs/proc/root.c: "somewhere for the nfsd filesystem to be
/// mounted", with or without nfsd). The kernel makes it with every proc and keeps it empty: nothing can be made in it, and
/// nobody can remove it, which would take the mount away with it.
pub const EMPTY_DIRECTORY: &str = "/proc/fs/nfsd";

/// A block device, and what it is called below /dev by whoever looks at its mount.
#[derive(Debug)]
pub struct Named<'a> {
    /// Its node.
    pub node: &'a Path,
    /// The name.
    pub name: &'a str,
}

/// Where Linux has devices.
const DEV: &str = "/dev";

/// Mounts `source` of type `kind` on `at`.
///
/// The type is always given: guessing it from a stranger's data would try every driver.
///
/// The kernel tells everybody the path that a device was mounted by. So for a moment /dev is an empty one of this
/// namespace, with this device in it under its name: to be called before there is a thread that needs another.
///
/// # Errors
/// [`Kind::Image`] when the kernel does not accept the file system; its message says why.
pub fn device(
    source: &Named<'_>,
    kind: &str,
    at: &Path,
    flags: MountFlags,
    data: &str,
) -> Result<()> {
    let failed = || format!("cannot name a device {}", source.name);
    let number = stat(source.node).context(Kind::Host, failed)?.st_rdev;
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    virtual_fs("tmpfs", DEV.as_ref(), harmless, "mode=0700,size=64k")?;
    let path = Path::new(DEV).join(source.name);
    let made = mknod(&path, SFlag::S_IFBLK, Mode::S_IRUSR | Mode::S_IWUSR, number);
    let mounted = made
        .context(Kind::Host, failed)
        .and_then(|()| node(&path, kind, at, flags, data));
    umount2(DEV, MntFlags::MNT_DETACH).context(Kind::Host, || format!("cannot uncover {DEV}"))?;
    mounted
}

/// As [`device`], by the path of the device's own node.
///
/// # Errors
/// As [`device`].
pub fn node(node: &Path, kind: &str, at: &Path, flags: MountFlags, data: &str) -> Result<()> {
    let mounted = Mount::builder()
        .fstype(kind)
        .flags(flags)
        .data(data)
        .mount(node, at);
    // Mount is no guard: dropping it does nothing. The stage's teardown stack unmounts.
    mounted.map(drop).context(Kind::Image, || {
        format!("cannot mount {} as {kind}", node.display())
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

/// Lets programs be run from the read-only bind mount that `at` is the root of.
pub fn allow_programs(at: &Path) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    set(
        at,
        flags | harmless,
        "cannot allow programs in the bind mount",
    )
}

/// Mounts an empty file system on the directory `at` that nothing can be written to, and that looks like one of `source`.
pub fn empty(source: &str, at: &Path) -> Result<()> {
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let flags = MsFlags::MS_RDONLY | harmless;
    let data = Some("mode=0755,size=4k,nr_inodes=1");
    mount(Some(source), at, Some("tmpfs"), flags, data).context(Kind::Host, || {
        format!("cannot mount an empty file system on {}", at.display())
    })
}

/// Gives the mount at `at` these flags in place of those that it has.
pub fn set_flags(at: &Path, flags: MsFlags) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags;
    set(at, flags, "cannot change the flags of the mount")
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

/// A mount of this namespace, found by its number and not by its path: a program of the image can move
/// the directory it is on, and put a link to some place of the host there instead.
#[derive(Debug)]
pub struct Mounted(String);

impl Mounted {
    /// What is now mounted at `at`, a directory.
    pub fn at(at: &Path) -> Result<Self> {
        let failed = || format!("cannot find the mount {}", at.display());
        let dir = host_dir(at).context(Kind::Host, failed)?;
        let info = format!(
            "/proc/thread-self/fdinfo/{}",
            std::os::fd::AsRawFd::as_raw_fd(&dir)
        );
        let text = std::fs::read_to_string(info).context(Kind::Host, failed)?;
        let number = text.lines().find_map(|l| l.strip_prefix("mnt_id:"));
        number
            .map(|number| Mounted(number.trim().to_owned()))
            .ok_or_else(|| Error::host(failed()))
    }

    /// Where it is mounted now, a path without links; `None` when it is not mounted any more.
    pub fn place(&self) -> Result<Option<PathBuf>> {
        let list = std::fs::read("/proc/thread-self/mountinfo").context(Kind::Host, || {
            "cannot read /proc/thread-self/mountinfo".into()
        })?;
        Ok(list
            .split(|&byte| byte == b'\n')
            .map(|line| line.split(|&byte| byte == b' ').collect::<Vec<_>>())
            // proc(5): number, parent, device, root, mount point.
            .find(|fields| fields.len() > 4 && fields[0] == self.0.as_bytes())
            .map(|fields| OsString::from_vec(unescape(fields[4])).into()))
    }
}

/// Whether anything is mounted at `path` or below it.
pub fn is_below(path: &Path) -> std::io::Result<bool> {
    let Ok(path) = path.canonicalize() else {
        return Ok(false);
    };
    let list = std::fs::read("/proc/thread-self/mountinfo")?;
    let lines = list.split(|&byte| byte == b'\n');
    let places = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    let mut places = places.map(|place| PathBuf::from(OsString::from_vec(unescape(place))));
    Ok(places.any(|place| place.starts_with(&path)))
}

/// Replaces a backslash and three octal digits by their byte.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut out = Vec::with_capacity(text.len());
    while let Some((&first, after)) = rest.split_first() {
        let octal = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        match (first, after.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &after[3..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_number() {
        let proc = Mounted::at("/proc".as_ref()).unwrap();
        assert_eq!(proc.place().unwrap(), Some("/proc".into()));
        assert_eq!(Mounted("none".into()).place().unwrap(), None);
    }

    #[test]
    fn mounts_below_are_seen() {
        assert!(is_below("/proc".as_ref()).unwrap());
        assert!(is_below("/".as_ref()).unwrap());
        assert!(!is_below("/proc/self".as_ref()).unwrap());
        assert!(!is_below("/none".as_ref()).unwrap());
    }

    #[test]
    fn odd_names_are_read_as_they_are() {
        assert_eq!(unescape(b"/a\\040b\\134040\\9"), b"/a b\\040\\9");
    }
}
