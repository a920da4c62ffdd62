//! Files in the image that are only there while it is in use: empty ones, for something to be bound over,
//! and links to what is in the chroot's /run.
//!
//! A link is the lesser thing: no program of the image can bind a directory elsewhere that has a mount of ours
//! below it. And what a killed run leaves behind in an image leads nowhere.

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

impl Placeholders {
    /// Makes sure that there is something at each of these paths in the image at `root`.
    pub fn make(root: &Root, wanted: impl IntoIterator<Item = (&'static str, Is)>) -> Result<Self> {
        let mut made = Placeholders::default();
        for (path, is) in wanted {
            made.ensure(root, path, is)?;
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
}
