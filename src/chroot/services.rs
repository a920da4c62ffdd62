//! Files that the build needs in the image and the result must not keep.
//!
//! resolv.conf, so that names resolve; policy-rc.d, so that installing a package does not start
//! its service. Each is bound over where the image has the file; where it does not, the stage makes a
//! [placeholder](super::placeholders) to bind on. What the [shortcuts](super::shortcuts) need is in the chroot's /run, and
//! the stage makes links to it.

use std::{
    ffi::OsString,
    io::Write,
    os::fd::OwnedFd,
    path::{Component, Path},
};

use nix::{
    fcntl::{AtFlags, OFlag},
    sys::stat::{Mode, fstatat},
};

use super::{
    initramfs_modules,
    placeholders::Is,
    plan::{ChrootPlan, Network},
    shortcuts::{Shortcuts, apt_hooks, initramfs},
};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::{
        inroot::{Root, path_of},
        mount,
    },
};

/// Where Debian's invoke-rc.d and deb-systemd-invoke ask whether they may start a service.
const POLICY: &str = "usr/sbin/policy-rc.d";
/// Exit 101 is "action forbidden by policy" (policy-rc.d's specification).
const POLICY_TEXT: &str =
    "#!/bin/sh\n# Put here by pichroot while it provisions the image.\nexit 101\n";
/// What programs of the chroot look names up with.
const RESOLVER: &str = "etc/resolv.conf";
const RESOLVER_HINT: &str = "make it a file, or a link to one below /run";

/// Where apt reads first where packages are kept for several runs, so that what the image says itself wins. Not
/// by a variable of the environment, which sudo takes away.
const APT_FILE: &str = "etc/apt/apt.conf.d/00pichroot";
const APT_TARGET: &str = "/run/pichroot/apt-packages.conf";

/// What is to be in the image at `root` while it is in use.
pub fn wanted(root: &Root, shortcuts: Shortcuts) -> Vec<(&'static str, Is)> {
    let mut wanted = Vec::new();
    // An image without /usr/sbin has no Debian services either.
    if root.is_dir("usr/sbin".as_ref()) {
        wanted.push((POLICY, Is::Empty));
    }
    // A link into /run, as systemd-resolved makes it, leads to a tmpfs in the chroot.
    if root.is_dir("etc".as_ref()) && !exists(root, RESOLVER) {
        wanted.push((RESOLVER, Is::Empty));
    }
    if initramfs_modules::possible_in(root) {
        wanted.push((
            initramfs_modules::FILE,
            Is::LinkTo(initramfs_modules::TARGET),
        ));
    }
    if shortcuts.apt_hooks {
        wanted.push((apt_hooks::FILE, Is::LinkTo(apt_hooks::TARGET)));
    }
    if shortcuts.packages && root.is_dir("etc/apt/apt.conf.d".as_ref()) {
        wanted.push((APT_FILE, Is::LinkTo(APT_TARGET)));
    }
    if shortcuts.initramfs {
        wanted.push((initramfs::APT_FILE, Is::LinkTo(initramfs::APT_TARGET)));
    }
    wanted
}

/// A handle on the directory of `path`, whose last component is then not followed.
fn parent_of(root: &Root, path: &str) -> Option<(OwnedFd, OsString)> {
    let path = Path::new(path);
    Some((
        root.locate(path.parent()?).ok()?,
        path.file_name()?.to_owned(),
    ))
}

/// Whether there is anything at `path`, be it a link that leads nowhere.
fn exists(root: &Root, path: &str) -> bool {
    parent_of(root, path)
        .is_some_and(|(dir, name)| fstatat(&dir, &*name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok())
}

/// Covers the files, and makes those that links lead to. Runs with the chroot's /run mounted, so that
/// a link into it is made to lead somewhere.
pub fn cover(root: &Root, plan: &ChrootPlan) -> Result<()> {
    if let Ok(at) = root.locate(POLICY.as_ref()) {
        not_a_directory(root, POLICY)?;
        let file = run_file(root, "pichroot/policy-rc.d", POLICY_TEXT.as_bytes(), 0o755)?;
        mount::bind(&path_of(&file), &path_of(&at), false)?;
    }
    let run_file = |path: &str, text: &str, mode| {
        let name = path.strip_prefix("/run/").expect("is there");
        run_file(root, name, text.as_bytes(), mode).map(drop)
    };
    run_file(initramfs_modules::TARGET, initramfs_modules::TEXT, 0o644)?;
    if plan.shortcuts.apt_hooks {
        run_file(apt_hooks::TARGET, apt_hooks::TEXT, 0o644)?;
    }
    if let Some(text) = &plan.apt {
        run_file(APT_TARGET, text, 0o644)?;
    }
    if plan.shortcuts.initramfs {
        run_file(initramfs::AT, initramfs::PROGRAM, 0o755)?;
        run_file(initramfs::APT_TARGET, initramfs::APT_TEXT, 0o644)?;
        run_file(initramfs::RECORD, "", 0o644)?;
    }
    if plan.network == Network::Host {
        resolver(root)?;
    }
    Ok(())
}

fn resolver(root: &Root) -> Result<()> {
    let host = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    if let Some(target) = target_in_run(root) {
        return run_file(root, &target, &host, 0o644)
            .map(drop)
            .map_err(|error| {
                Error::image(format!(
                    "cannot follow /{RESOLVER} of the image, a link to /run/{target}: {error}"
                ))
                .hint(RESOLVER_HINT)
            });
    }
    let Ok(at) = root.locate(RESOLVER.as_ref()) else {
        return Ok(());
    };
    not_a_directory(root, RESOLVER)?;
    let file = run_file(root, "pichroot/resolv.conf", &host, 0o644)?;
    mount::bind(&path_of(&file), &path_of(&at), false)
}

/// A file cannot be shown in a directory's place.
fn not_a_directory(root: &Root, path: &str) -> Result<()> {
    if root.is_dir(path.as_ref()) {
        return Err(
            Error::image(format!("/{path} of the image is a directory")).hint(RESOLVER_HINT)
        );
    }
    Ok(())
}

/// Where below /run the image's resolv.conf leads, if it is a link there.
fn target_in_run(root: &Root) -> Option<String> {
    let (dir, name) = parent_of(root, RESOLVER)?;
    let link = nix::fcntl::readlinkat(&dir, &*name).ok()?;
    let text = link
        .to_str()?
        .trim_start_matches("../")
        .trim_start_matches('/');
    let target = text
        .strip_prefix("var/run/")
        .or_else(|| text.strip_prefix("run/"))?;
    let plain = |part| matches!(part, Component::Normal(_));
    let inside = !target.is_empty() && Path::new(target).components().all(plain);
    inside.then(|| target.to_owned())
}

/// A new file below the chroot's /run, with its directories; returns a handle on it.
fn run_file(root: &Root, name: &str, content: &[u8], mode: u32) -> Result<OwnedFd> {
    let failed = || format!("cannot write /run/{name} in the chroot");
    let path = Path::new("run").join(name);
    let mut above = path
        .ancestors()
        .skip(1)
        .filter(|p| p.starts_with("run"))
        .collect::<Vec<_>>();
    above.reverse();
    for directory in above.into_iter().skip(1) {
        let parent = root
            .locate(directory.parent().expect("below run"))
            .context(Kind::Host, failed)?;
        let name = directory.file_name().expect("below run");
        match nix::sys::stat::mkdirat(&parent, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(errno) => return Err(errno).context(Kind::Host, failed),
        }
    }
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY;
    let fd = root
        .open_at(&path, flags, Mode::from_bits_truncate(mode))
        .context(Kind::Host, failed)?;
    std::fs::File::from(fd)
        .write_all(content)
        .context(Kind::Host, failed)?;
    root.locate(&path).context(Kind::Host, failed)
}
