//! Files that the build needs in the image and the result must not keep.
//!
//! resolv.conf, so that names resolve, and policy-rc.d, so that installing a package does not start
//! its service. Each is bound over where the image has the file. Where it does not, a placeholder
//! to bind on is made and taken away again by [`Placeholders::remove`].

use std::{
    ffi::OsString,
    io::Write,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use nix::{
    fcntl::{AtFlags, OFlag},
    sys::{
        stat::{Mode, UtimensatFlags, fstat, fstatat, futimens, utimensat},
        time::TimeSpec,
    },
    unistd::{UnlinkatFlags, unlinkat},
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

/// Empty files in the image that something is bound over while the image is in use.
#[derive(Debug, Default)]
pub struct Placeholders(Vec<Placeholder>);

#[derive(Debug)]
struct Placeholder {
    path: PathBuf,
    parent: OwnedFd,
    /// The parent directory's times of access and change, to be put back.
    times: [TimeSpec; 2],
}

impl Placeholders {
    /// Makes sure that each file to be covered exists in the image at `root`.
    pub fn make(root: &Root) -> Result<Self> {
        let mut made = Placeholders::default();
        // An image without /usr/sbin has no Debian services either.
        if root.is_dir("usr/sbin".as_ref()) {
            made.ensure(root, POLICY)?;
        }
        // A link into /run, as systemd-resolved makes it, leads to a tmpfs in the chroot.
        if root.is_dir("etc".as_ref()) && !exists(root, RESOLVER) {
            made.ensure(root, RESOLVER)?;
        }
        Ok(made)
    }

    fn ensure(&mut self, root: &Root, path: &str) -> Result<()> {
        let failed = || format!("cannot make /{path} in the image");
        let path = Path::new(path);
        let parent = root
            .open_at(
                path.parent().expect("has one"),
                OFlag::O_DIRECTORY,
                Mode::empty(),
            )
            .context(Kind::Image, failed)?;
        let before = fstat(&parent).context(Kind::Image, failed)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY;
        match root.open_at(path, flags, Mode::from_bits_truncate(0o755)) {
            Err(nix::Error::EEXIST) => return Ok(()),
            result => result.context(Kind::Image, failed)?,
        };
        let times = [
            TimeSpec::new(before.st_atime, before.st_atime_nsec),
            TimeSpec::new(before.st_mtime, before.st_mtime_nsec),
        ];
        futimens(&parent, &times[0], &times[1]).context(Kind::Image, failed)?;
        self.0.push(Placeholder {
            path: path.to_owned(),
            parent,
            times,
        });
        Ok(())
    }

    /// Takes the placeholders away. One that the playbook replaced by a file of its own, which is
    /// not empty, stays; a directory that nothing else changed gets its time stamps back.
    pub fn remove(self) -> Result<()> {
        for placeholder in self.0 {
            let Placeholder {
                path,
                parent,
                times,
            } = placeholder;
            let failed = || format!("cannot remove the placeholder /{}", path.display());
            let name = path.file_name().expect("has one");
            match fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(nix::Error::ENOENT) => continue,
                Ok(stat) if stat.st_size != 0 => continue,
                result => result.context(Kind::Teardown, failed)?,
            };
            let now = fstat(&parent).context(Kind::Teardown, failed)?;
            unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir).context(Kind::Teardown, failed)?;
            if (now.st_mtime, now.st_mtime_nsec) == (times[1].tv_sec(), times[1].tv_nsec()) {
                let here = UtimensatFlags::FollowSymlink;
                utimensat(&parent, ".", &times[0], &times[1], here)
                    .context(Kind::Teardown, failed)?;
            }
        }
        Ok(())
    }
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

/// Covers resolv.conf with the host's and policy-rc.d with ours. Runs with the chroot's /run
/// mounted, so that a link into it is made to lead somewhere.
pub fn cover(root: &Root, with_network: bool) -> Result<()> {
    if let Ok(at) = root.locate(POLICY.as_ref()) {
        not_a_directory(root, POLICY)?;
        let file = run_file(root, "pichroot-policy-rc.d", POLICY_TEXT.as_bytes(), 0o755)?;
        mount::bind(&path_of(&file), &path_of(&at), false)?;
    }
    if with_network {
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
    let file = run_file(root, "pichroot-resolv.conf", &host, 0o644)?;
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
