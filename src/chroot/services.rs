//! What the build needs in the chroot's memory, and the links of the image that lead there.
//!
//! resolv.conf wherever it is usual that /etc/resolv.conf leads, as tasks and packages make it another link; what packages
//! find in place of [mknod](super::nodes), and what the [shortcuts](super::shortcuts) need. In the image itself, [placeholders](super::placeholders) and
//! [covers](super::covers) are the stage's.

use std::{
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{
    covers::cover::{Cover, Covering},
    initramfs_modules,
    living::boot,
    nodes,
    plan::ChrootPlan,
    shortcuts::{Shortcuts, apt_hooks, initramfs},
};
use crate::{
    error::{Context, Kind, Result},
    event::Event,
    sys::{
        inroot::{Root, path_of},
        mount,
    },
};

/// Where apt reads first where packages are kept for several runs, so that what the image says itself wins. Not
/// by a variable of the environment, which sudo takes away.
const APT_FILE: &str = "etc/apt/apt.conf.d/00pichroot";
const APT_TARGET: &str = "/run/pichroot/apt-packages.conf";

/// Where systemd-resolved, NetworkManager, resolvconf and ConnMan have resolv.conf, and the file that resolvconf makes
/// its own of.
const USUAL: [&str; 7] = [
    "run/systemd/resolve/stub-resolv.conf",
    "run/systemd/resolve/resolv.conf",
    "run/NetworkManager/resolv.conf",
    "run/NetworkManager/no-stub-resolv.conf",
    "run/resolvconf/resolv.conf",
    "run/resolvconf/interface/original.resolvconf",
    "run/connman/resolv.conf",
];

/// The links that are to be in the image at `root` while it is in use, each with its target.
pub fn wanted(root: &Root, shortcuts: Shortcuts) -> Vec<(&'static str, &'static str)> {
    let mut wanted = Vec::new();
    if initramfs_modules::possible_in(root) {
        wanted.push((initramfs_modules::FILE, initramfs_modules::TARGET));
    }
    if shortcuts.apt_hooks {
        wanted.push((apt_hooks::FILE, apt_hooks::TARGET));
    }
    if root.is_dir("etc/apt/apt.conf.d".as_ref()) {
        wanted.push((nodes::APT_FILE, nodes::APT_TARGET));
        if shortcuts.packages {
            wanted.push((APT_FILE, APT_TARGET));
        }
    }
    if shortcuts.initramfs {
        wanted.push((initramfs::APT_FILE, initramfs::APT_TARGET));
    }
    wanted
}

/// Makes what links lead to, and binds over the image's files what could not be put in their place. Runs with the
/// chroot's /run and /tmp mounted. Returns warnings.
pub fn cover(root: &Root, plan: &ChrootPlan) -> Result<Vec<Event>> {
    let in_run = |path: &str, text: &str, mode| {
        let path = path.trim_start_matches('/');
        memory_file(root, path.as_ref(), text.as_bytes(), mode).map(drop)
    };
    for (path, cover, text) in &plan.covering.bound {
        let at = root
            .locate(path)
            .context(Kind::Host, || format!("cannot find /{}", path.display()))?;
        in_run(cover.link(), text, cover.mode())?;
        show_read_only(root, *cover, path, at)?;
    }
    in_run(nodes::AT, nodes::PROGRAM, 0o755)?;
    in_run(nodes::APT_TARGET, nodes::APT_TEXT, 0o644)?;
    in_run(initramfs_modules::TARGET, initramfs_modules::TEXT, 0o644)?;
    if plan.shortcuts.apt_hooks {
        in_run(apt_hooks::TARGET, apt_hooks::TEXT, 0o644)?;
    }
    if plan.living.is_some() {
        boot_id(root)?;
    }
    if let Some(text) = &plan.apt {
        in_run(APT_TARGET, text, 0o644)?;
    }
    if plan.shortcuts.initramfs {
        in_run(initramfs::AT, initramfs::PROGRAM, 0o755)?;
        in_run(initramfs::APT_TARGET, initramfs::APT_TEXT, 0o644)?;
        in_run(initramfs::RECORD, "", 0o644)?;
    }
    names(root, &plan.covering)
}

/// Shows a number of this boot that can become another.
fn boot_id(root: &Root) -> Result<()> {
    let failed = || format!("cannot show another {}", boot::ID);
    let id = boot::new_id().context(Kind::Host, failed)?;
    let path = |text: &'static str| Path::new(text.trim_start_matches('/'));
    let ours = memory_file(root, path(boot::AT), id.as_bytes(), 0o444)?;
    let at = root
        .locate(path(boot::ID))
        .context(Kind::Image, failed)
        .map_err(|e| e.hint("are /run and /proc of the image folders, as in any Linux?"))?;
    mount::bind(&path_of(&ours), &path_of(&at), false)
}

/// Makes every resolv.conf that is not in the image.
fn names(root: &Root, covering: &Covering) -> Result<Vec<Event>> {
    let Some(text) = &covering.names else {
        return Ok(Vec::new());
    };
    let make = |path: &Path| memory_file(root, path, text.as_bytes(), 0o644);
    let mut told = Vec::new();
    if let Some(path) = &covering.leads_to {
        let ours = Path::new("/").join(path) == Path::new(Cover::Names.link());
        match make(path) {
            // In the place of a link that leads nowhere: what is written through it would be lost.
            Ok(at) if ours => show_read_only(root, Cover::Names, path, at)?,
            Ok(_) => {}
            Err(error) => told.push(Event::NoNames(error.to_string())),
        }
    }
    for path in USUAL.map(Path::new) {
        if covering.leads_to.as_deref() != Some(path) {
            // Where this one leads to a path above it, that is the one that counts.
            let _ = make(path);
        }
    }
    Ok(told)
}

/// Shows ours at `path`, where `at` is what it covers, so that writing to it fails.
fn show_read_only(root: &Root, cover: Cover, path: &Path, at: OwnedFd) -> Result<()> {
    let failed = || format!("cannot cover /{}", path.display());
    let ours = root
        .locate(cover.link().as_ref())
        .context(Kind::Host, failed)?;
    mount::bind(&path_of(&ours), &path_of(&at), false)?;
    // The handle from before shows what is below the new mount.
    let covered = root.locate(path).context(Kind::Host, failed)?;
    mount::allow_programs(&path_of(&covered))
}

/// A new file below the chroot's /run or /tmp, with its directories; returns a handle on it.
fn memory_file(root: &Root, path: &Path, content: &[u8], mode: u32) -> Result<OwnedFd> {
    let failed = || format!("cannot write /{} in the chroot", path.display());
    let above = path.parent().into_iter().flat_map(Path::components).skip(1);
    let mut parent = PathBuf::from(path.iter().next().unwrap_or_default());
    for name in above {
        let dir = root.locate(&parent).context(Kind::Host, failed)?;
        parent.push(name);
        match nix::sys::stat::mkdirat(&dir, name.as_os_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(errno) => return Err(errno).context(Kind::Host, failed),
        }
    }
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY;
    let fd = root
        .open_at(path, flags, Mode::from_bits_truncate(mode))
        .context(Kind::Host, failed)?;
    std::fs::File::from(fd)
        .write_all(content)
        .context(Kind::Host, failed)?;
    root.locate(path).context(Kind::Host, failed)
}
