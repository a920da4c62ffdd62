//! The kernel's file systems of the chroot: /dev, /proc, /sys, /run, /tmp.
//!
//! Mounted while this process is still privileged, before it enters the user namespace of the
//! image's programs: the copy of these mounts that namespace gets is locked, so that root in there
//! can neither unmount a mask nor make a read-only mount writable. Root in there has the host's
//! user id 0, so what is not masked and belongs to root can be written, whatever the capabilities.

use std::{fs::File, io::Write, os::fd::OwnedFd, path::Path};

use nix::{
    fcntl::OFlag,
    mount::MsFlags,
    sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mknodat},
    unistd::{UnlinkatFlags, symlinkat, unlinkat},
};

use crate::{
    error::{Context, Kind, Result},
    sys::{
        inroot::{Root, path_of},
        kernel, mount,
    },
    twins::dispatcher::format::{COUNTS, PLACE},
};

/// How many processes the chroot may have at once, its own PID namespace's pid_max (Linux 6.14):
/// far more than a package installation needs, and a fork bomb ends soon.
const PROCESS_LIMIT: u32 = 2048;

/// The first Linux where each PID namespace has a limit of its own.
pub const OWN_PROCESS_LIMIT: kernel::Version = kernel::Version(6, 14);

/// The device nodes of the chroot, with major and minor number
/// (Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// `ansible_remote_tmp` and `ansible_async_dir` of `ansible/connection.rs`, below this folder.
const ANSIBLE: &str = "tmp/.ansible";
const ANSIBLE_FOLDERS: [&str; 2] = ["tmp/.ansible/tmp", "tmp/.ansible/async"];

/// Where a Pi's firmware finds the kernel's arguments: Ubuntu's and Debian's images, Ubuntu's with two sets of boot
/// files, and older Raspberry Pi OS.
const KERNEL_ARGUMENTS: [&str; 3] = [
    "boot/firmware/cmdline.txt",
    "boot/firmware/current/cmdline.txt",
    "boot/cmdline.txt",
];
/// What arm64 Linux takes of them, in bytes (COMMAND_LINE_SIZE).
const MAX_ARGUMENTS: u64 = 2048;

/// Below /proc: what tells secrets of the host's kernel.
const PROC_HIDDEN: [&str; 9] = [
    "kcore",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "sched_debug",
    "timer_list",
];

/// Below /proc: what is shown as it is for the image.
const REPLACED: [&str; 3] = ["cmdline", "cpuinfo", "partitions"];

/// Mounts all of it below `root`.
pub fn mount_all(root: &Root) -> Result<()> {
    let no_suid_dev = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    dev(root)?;
    let at = mount_point(root, "proc")?;
    mount::virtual_fs("proc", &path_of(&at), no_suid_dev | MsFlags::MS_NOEXEC, "")?;
    limit_processes(root);
    mask_proc(root)?;
    mount_point(root, "sys")?;
    bind_read_only(root, "sys", "/sys".as_ref())?;
    let at = mount_point(root, "run")?;
    mount::virtual_fs("tmpfs", &path_of(&at), no_suid_dev, "mode=0755")?;
    let at = mount_point(root, "tmp")?;
    mount::virtual_fs("tmpfs", &path_of(&at), no_suid_dev, "mode=1777")?;
    // Ansible's first task, mostly root's, would make them for itself alone, and tasks of other users would fail.
    mkdir(root, ANSIBLE, 0o755)?;
    for folder in ANSIBLE_FOLDERS {
        mkdir(root, folder, 0o1777)?;
    }
    // Debian's /run/lock is its own, and world-writable as /tmp.
    mkdir(root, "run/lock", 0o1777)
}

/// Shows the twins in `folder` to the chroot, read-only; but every program counts its start there.
pub fn show_twins(root: &Root, folder: &Path) -> Result<()> {
    let place = Path::new(PLACE).strip_prefix("/").expect("is absolute");
    let name = place.to_str().expect("is ASCII");
    mkdir(root, name, 0o755)?;
    bind_read_only(root, name, folder)?;
    let at = mount_point(root, name)?;
    mount::allow_programs(&path_of(&at))?;
    let counts = root
        .locate(&place.join(COUNTS))
        .context(Kind::Host, || "cannot show the twins".into())?;
    mount::bind(&folder.join(COUNTS), &path_of(&counts), false)
}

/// A small /dev of our own, without any of the host's inodes: root in the chroot can change modes
/// and owners of what is here.
fn dev(root: &Root) -> Result<()> {
    let at = mount_point(root, "dev")?;
    mount::virtual_fs(
        "tmpfs",
        &path_of(&at),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        "mode=0755",
    )?;
    let dev = mount_point(root, "dev")?;
    let failed = || "cannot make the chroot's /dev".to_owned();
    for (name, major, minor) in DEVICES {
        let mode = Mode::from_bits_truncate(0o666);
        mknodat(&dev, name, SFlag::S_IFCHR, mode, makedev(major, minor))
            .context(Kind::Host, failed)
            .map_err(|e| e.hint("a container must allow mknod for the devices of /dev"))?;
        // mknod's mode passes the umask, and /dev/null is for every user: apt's is not root.
        fchmodat(&dev, name, mode, FchmodatFlags::FollowSymlink).context(Kind::Host, failed)?;
    }
    for (target, name) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ] {
        symlinkat(target, &dev, name).context(Kind::Host, failed)?;
    }
    mkdir(root, "dev/pts", 0o755)?;
    mkdir(root, "dev/shm", 0o1777)?;
    let secure = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let at = mount_point(root, "dev/pts")?;
    mount::virtual_fs(
        "devpts",
        &path_of(&at),
        secure,
        "newinstance,ptmxmode=0666,mode=0620,gid=5",
    )?;
    let at = mount_point(root, "dev/shm")?;
    mount::virtual_fs(
        "tmpfs",
        &path_of(&at),
        secure | MsFlags::MS_NODEV,
        "mode=1777",
    )
}

/// Best effort: a kernel before 6.14 has one limit for all, which is not ours to set.
fn limit_processes(root: &Root) {
    let flags = OFlag::O_WRONLY;
    if let Ok(fd) = root.open_at("proc/sys/kernel/pid_max".as_ref(), flags, Mode::empty())
        && kernel::Version::running() >= OWN_PROCESS_LIMIT
    {
        let _ = nix::unistd::write(&fd, PROCESS_LIMIT.to_string().as_bytes());
    }
}

/// Makes everything of the kernel's below /proc read-only, as opposed to what is of a process:
/// which of it can be used to change the host depends on the kernel and its modules. (/proc/net is a
/// link to the process' own.)
fn mask_proc(root: &Root) -> Result<()> {
    let proc = mount_point(root, "proc")?;
    let entries = std::fs::read_dir(path_of(&proc));
    for entry in entries.context(Kind::Host, || "cannot list /proc".into())? {
        let entry = entry.context(Kind::Host, || "cannot list /proc".into())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_process = name.bytes().all(|b| b.is_ascii_digit());
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if of_process || link || REPLACED.contains(&&*name) || PROC_HIDDEN.contains(&&*name) {
            continue;
        }
        let name = format!("proc/{name}");
        // Some are gone by now, with the module that made them.
        if let Ok(at) = root.locate(name.as_ref()) {
            bind_read_only(root, &name, &path_of(&at))?;
        }
    }
    kernel_arguments(root)?;
    let null = root
        .locate("dev/null".as_ref())
        .context(Kind::Host, || "no /dev/null".into())?;
    for name in PROC_HIDDEN {
        if let Ok(at) = root.locate(&Path::new("proc").join(name)) {
            mount::bind(&path_of(&null), &path_of(&at), false)?;
        }
    }
    Ok(())
}

/// The kernel arguments that the image at `root` boots with, where a Pi's firmware finds them.
pub fn boot_arguments(root: &Root) -> String {
    let read = |path: &&str| root.read(path.as_ref(), MAX_ARGUMENTS).ok();
    let text = KERNEL_ARGUMENTS.iter().find_map(read).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Shows the image's own kernel arguments in place of this host's: they tell what a Pi boots from, and
/// Ansible makes facts of them.
fn kernel_arguments(root: &Root) -> Result<()> {
    show_text(root, "proc/cmdline", &format!("{}\n", boot_arguments(root)))
}

/// Shows `text` in place of the file `name`, read-only.
pub(super) fn show_text(root: &Root, name: &str, text: &str) -> Result<()> {
    let failed = || format!("cannot hide the host's /{name}");
    let (covered, name) = (name, "dev/.text");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let file = root
        .open_at(name.as_ref(), flags, Mode::from_bits_truncate(0o444))
        .context(Kind::Host, failed)?;
    File::from(file)
        .write_all(text.as_bytes())
        .context(Kind::Host, failed)?;
    let file = root.locate(name.as_ref()).context(Kind::Host, failed)?;
    bind_read_only(root, covered, &path_of(&file))?;
    // The mount keeps it.
    let dev = root.locate("dev".as_ref()).context(Kind::Host, failed)?;
    unlinkat(&dev, ".text", UnlinkatFlags::NoRemoveDir).context(Kind::Host, failed)
}

/// Shows `what` at `name`, read-only.
pub(super) fn bind_read_only(root: &Root, name: &str, what: &Path) -> Result<()> {
    let failed = || format!("cannot reach /{name} in the chroot");
    let at = root.locate(name.as_ref()).context(Kind::Host, failed)?;
    mount::bind(what, &path_of(&at), false)?;
    // The handle from before shows what is below the new mount.
    let covered = root.locate(name.as_ref()).context(Kind::Host, failed)?;
    mount::make_read_only(&path_of(&covered))
}

/// The directory `name` of the image, as a handle to mount on. Only /run and /tmp may be links, as a
/// few systems have them: with the others one could be put on top of what hides parts of another.
///
/// # Errors
/// [`Kind::Image`] when there is no such directory: every Linux root has these.
fn mount_point(root: &Root, name: &str) -> Result<OwnedFd> {
    let mut flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    if !["run", "tmp"].contains(&name) {
        flags |= OFlag::O_NOFOLLOW;
    }
    root.open_at(name.as_ref(), flags, Mode::empty())
        .context(Kind::Image, || {
            format!("the image has no directory /{name}")
        })
        .map_err(|e| {
            e.hint(
                "is the partition with the root file system the right one? see image.layout in \
                 pichroot.yml",
            )
        })
}

pub(super) fn mkdir(root: &Root, path: &str, mode: u32) -> Result<()> {
    let path = Path::new(path);
    let (parent, name) = (
        path.parent().expect("has one"),
        path.file_name().expect("has one"),
    );
    let failed = || format!("cannot make /{} in the chroot", path.display());
    let parent = root.locate(parent).context(Kind::Host, failed)?;
    nix::sys::stat::mkdirat(&parent, name, Mode::from_bits_truncate(mode))
        .context(Kind::Host, failed)?;
    // mkdir's mode passes the umask.
    let made = root.locate(path).context(Kind::Host, failed)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path_of(&made), permissions).context(Kind::Host, failed)
}
