//! Files in the image that are only there while it is in use: empty ones, for something to be bound over,
//! and links to what is in the chroot's /run.
//!
//! A link is the lesser thing: no program of the image can bind a directory elsewhere that has a mount of ours
//! below it. And what a killed run leaves behind in an image leads nowhere, and is known again by where it leads.

use std::{
    ffi::OsStr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AtFlags, OFlag, readlinkat},
    sys::{
        stat::{Mode, UtimensatFlags, fstat, fstatat, futimens, utimensat},
        time::TimeSpec,
    },
    unistd::{UnlinkatFlags, symlinkat, unlinkat},
};

use crate::{
    error::{Context, Kind, Result},
    sys::inroot::Root,
};

/// What a placeholder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// A file without content.
    Empty,
    /// A link to this place.
    LinkTo(&'static str),
}

impl Is {
    /// Whether it is still there, and not something else.
    fn still_at(self, parent: &OwnedFd, name: &OsStr) -> nix::Result<bool> {
        let found = match self {
            Is::Empty => {
                fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| stat.st_size == 0)
            }
            Is::LinkTo(own) => readlinkat(parent, name).map(|target| target == own),
        };
        match found {
            // EINVAL: no link any more.
            Err(nix::Error::ENOENT | nix::Error::EINVAL) => Ok(false),
            found => found,
        }
    }

    /// Whether a killed run has left it. An empty file may be the image's own.
    fn left_at(self, parent: &OwnedFd, name: &OsStr) -> bool {
        matches!(self, Is::LinkTo(_)) && self.still_at(parent, name) == Ok(true)
    }
}

/// Those of one image.
#[derive(Debug, Default)]
pub struct Placeholders(Vec<Placeholder>);

#[derive(Debug)]
struct Placeholder {
    path: PathBuf,
    is: Is,
    parent: OwnedFd,
    /// The parent directory's times of access and change, to be put back.
    times: [TimeSpec; 2],
}

/// Whether there is nothing at `path` in the image at `root`, or only a link that a killed run has left, and a
/// directory for it.
pub fn is_free(root: &Root, path: &str, is: Is) -> bool {
    let path = Path::new(path);
    let parent = root.open_at(
        path.parent().expect("has one"),
        OFlag::O_DIRECTORY,
        Mode::empty(),
    );
    let name = path.file_name().expect("has one");
    parent.is_ok_and(|parent| {
        let found = fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        found == Err(nix::Error::ENOENT) || is.left_at(&parent, name)
    })
}

impl Placeholders {
    /// Makes sure that there is something at each of these paths in the image at `root`. On an error nothing
    /// of ours stays.
    pub fn make(root: &Root, wanted: impl IntoIterator<Item = (&'static str, Is)>) -> Result<Self> {
        let mut made = Placeholders::default();
        for (path, is) in wanted {
            if let Err(error) = made.ensure(root, path, is) {
                // The first failure is the one to report.
                let _ = made.remove();
                return Err(error);
            }
        }
        Ok(made)
    }

    fn ensure(&mut self, root: &Root, path: &str, is: Is) -> Result<()> {
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
        let name = path.file_name().expect("has one");
        let made = match is {
            Is::Empty => root
                .open_at(path, flags, Mode::from_bits_truncate(0o755))
                .map(drop),
            Is::LinkTo(target) => symlinkat(target, &parent, name),
        };
        match made {
            Err(nix::Error::EEXIST) if is.left_at(&parent, name) => {}
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
            is,
            parent,
            times,
        });
        Ok(())
    }

    /// Takes the placeholders away. One that the playbook replaced by a file of its own, which is
    /// not empty, or no link of ours, stays; a directory that nothing else changed gets its time stamps back.
    pub fn remove(self) -> Result<()> {
        for placeholder in self.0 {
            let Placeholder {
                path,
                is,
                parent,
                times,
            } = placeholder;
            let failed = || format!("cannot remove the placeholder /{}", path.display());
            let name = path.file_name().expect("has one");
            if !is.still_at(&parent, name).context(Kind::Teardown, failed)? {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_still_ours_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let link = Is::LinkTo("/run/x");
        let wanted = [
            ("e/a", Is::Empty),
            ("e/b", Is::Empty),
            ("e/c", link),
            ("e/d", link),
        ];
        std::fs::create_dir(at("e")).unwrap();
        let before = std::fs::metadata(at("e")).unwrap().modified().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let made = Placeholders::make(&root, wanted).unwrap();
        assert_eq!(std::fs::read_link(at("e/c")).unwrap(), Path::new("/run/x"));
        assert_eq!(
            std::fs::metadata(at("e")).unwrap().modified().unwrap(),
            before
        );
        std::fs::write(at("e/b"), "own").unwrap();
        std::fs::remove_file(at("e/d")).unwrap();
        std::fs::write(at("e/d"), "").unwrap();
        made.remove().unwrap();
        assert!(!at("e/a").exists() && at("e/b").exists());
        assert!(std::fs::read_link(at("e/c")).is_err() && at("e/d").exists());
    }

    #[test]
    fn a_link_of_a_killed_run_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("e")).unwrap();
        for (name, target) in [("e/ours", "/run/x"), ("e/own", "/run/y")] {
            std::os::unix::fs::symlink(target, at(name)).unwrap();
        }
        std::fs::write(at("e/empty"), "").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let link = Is::LinkTo("/run/x");
        let free = |name| is_free(&root, name, link);
        assert!(free("e/ours") && free("e/none") && !free("e/own") && !free("e/empty"));
        assert!(!is_free(&root, "e/empty", Is::Empty) && !free("no-folder/x"));
        let wanted = [("e/ours", link), ("e/own", link), ("e/empty", Is::Empty)];
        Placeholders::make(&root, wanted).unwrap().remove().unwrap();
        assert!(std::fs::read_link(at("e/ours")).is_err());
        assert!(std::fs::read_link(at("e/own")).is_ok() && at("e/empty").exists());
    }

    #[test]
    fn what_was_made_before_an_error_goes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("e")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let wanted = [("e/a", Is::Empty), ("no-folder/b", Is::Empty)];
        assert!(Placeholders::make(&root, wanted).is_err());
        assert!(!dir.path().join("e/a").exists());
    }
}
