//! Files in the chroot's /run and /tmp, which are in memory: nothing that is made here reaches the image.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
};

use nix::{
    fcntl::{AtFlags, OFlag, openat, readlinkat},
    sys::stat::{Mode, mkdirat},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, mkfifoat, symlinkat, unlinkat},
};

use crate::sys::inroot::Root;

/// What is there for the build.
const OURS: [&str; 3] = ["/run/pichroot", "/run/twins", "/tmp/.ansible"];
/// What says that logind runs: sudo and su would then wait for it.
const LOGIND: [&str; 3] = [
    "/run/systemd/seats",
    "/run/systemd/sessions",
    "/run/systemd/users",
];
/// What a boot makes and takes away again before it is complete: with it nobody but root may log in.
const GONE: [&str; 1] = ["/run/nologin"];
/// The deepest folder.
const MAX_DEPTH: usize = 20;

/// Both of them.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    root: &'a Root,
}

/// Who is to own a file; what is not said is left as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

impl<'a> Memory<'a> {
    /// Those of the chroot at `root`.
    pub fn new(root: &'a Root) -> Self {
        Memory { root }
    }

    /// The folder that `path` is to be in, made if it is not there and is to be, and its name. No link is followed.
    fn place<'p>(&self, path: &'p str, make: bool) -> io::Result<(OwnedFd, &'p str)> {
        let refused = || io::Error::from(io::ErrorKind::InvalidInput);
        // Everywhere the same (file-hierarchy(7)).
        let inside = path
            .strip_prefix("/var")
            .filter(|rest| rest.starts_with("/run/"));
        let path = inside.unwrap_or(path);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let top = parts
            .next()
            .filter(|top| ["run", "tmp"].contains(top))
            .ok_or_else(refused)?;
        let parts: Vec<&str> = parts.collect();
        let mut kept = OURS.iter().chain(&LOGIND).chain(&GONE);
        let kept = kept.any(|kept| path == *kept || path.starts_with(&format!("{kept}/")));
        let (name, above) = parts.split_last().ok_or_else(refused)?;
        if kept || parts.len() > MAX_DEPTH || parts.iter().any(|part| [".", ".."].contains(part)) {
            return Err(refused());
        }
        let folder = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut at = self.root.open_at(top.as_ref(), folder, Mode::empty())?;
        for part in above {
            let made = if make {
                mkdirat(&at, *part, Mode::from_bits_truncate(0o755))
            } else {
                Ok(())
            };
            match made {
                Ok(()) | Err(nix::Error::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
            at = openat(&at, *part, folder | OFlag::O_NOFOLLOW, Mode::empty())?;
        }
        Ok((at, name))
    }

    /// Makes a folder, if it is not there, with this mode and owner.
    pub fn folder(&self, path: &str, mode: u32, owner: Owner) -> io::Result<()> {
        let (at, name) = self.place(path, true)?;
        match mkdirat(&at, name, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(nix::Error::EEXIST) => self.adjust(path, Some(mode), owner),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes mode and owner of a folder or a file that is there.
    pub fn adjust(&self, path: &str, mode: Option<u32>, owner: Owner) -> io::Result<()> {
        let (at, name) = self.place(path, false)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(&at, name, flags, Mode::empty())?;
        own(&file, owner)?;
        match mode {
            Some(mode) => File::from(file).set_permissions(PermissionsExt::from_mode(mode)),
            None => Ok(()),
        }
    }

    /// Makes a file with this text. One that is there keeps its text, unless `anew`.
    pub fn file(
        &self,
        path: &str,
        text: &str,
        anew: bool,
        mode: u32,
        owner: Owner,
    ) -> io::Result<()> {
        let (at, name) = self.place(path, true)?;
        let create = OFlag::O_CREAT | if anew { OFlag::O_TRUNC } else { OFlag::O_EXCL };
        let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        match openat(&at, name, flags | create, Mode::from_bits_truncate(0o600)) {
            Ok(file) => File::from(file).write_all(text.as_bytes())?,
            Err(nix::Error::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.adjust(path, Some(mode), owner)
    }

    /// Makes a link, if there is nothing, or in the place of a link or file if `anew`.
    pub fn link(&self, path: &str, to: &str, anew: bool) -> io::Result<()> {
        let (at, name) = self.place(path, true)?;
        if anew && readlinkat(&at, name).is_ok_and(|there| there != OsStr::new(to)) {
            unlinkat(&at, name, UnlinkatFlags::NoRemoveDir)?;
        }
        match symlinkat(to, &at, name) {
            Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a pipe with a name.
    pub fn pipe(&self, path: &str, mode: u32, owner: Owner) -> io::Result<()> {
        let (at, name) = self.place(path, true)?;
        match mkfifoat(&at, name, Mode::from_bits_truncate(mode)) {
            Ok(()) => {}
            Err(nix::Error::EEXIST) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let Owner { uid, gid } = owner;
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        fchownat(&at, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(())
    }
}

fn own(file: &OwnedFd, owner: Owner) -> nix::Result<()> {
    let Owner { uid, gid } = owner;
    fchown(file, uid.map(Uid::from_raw), gid.map(Gid::from_raw))
}
