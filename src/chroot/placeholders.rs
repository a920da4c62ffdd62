//! Links in the image that are only there while it is in use, to what is in the chroot's /run.
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
    sys::stat::{Mode, fstatat},
    unistd::{UnlinkatFlags, symlinkat, unlinkat},
};

use super::times::Times;
use crate::{
    error::{Context, Kind, Result},
    sys::inroot::Root,
};

/// Those of one image.
#[derive(Debug, Default)]
pub struct Placeholders(Vec<Placeholder>);

#[derive(Debug)]
struct Placeholder {
    path: PathBuf,
    target: &'static str,
    parent: OwnedFd,
    times: Times,
}

/// Whether there is nothing at `path` in the image at `root`, or only a link to `target` that a killed run has left,
/// and a directory for it.
pub fn is_free(root: &Root, path: &str, target: &str) -> bool {
    let path = Path::new(path);
    let name = path.file_name().expect("has one");
    parent_of(root, path).is_ok_and(|parent| {
        let found = fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        found == Err(nix::Error::ENOENT) || leads(&parent, name, target) == Ok(true)
    })
}

fn parent_of(root: &Root, path: &Path) -> nix::Result<OwnedFd> {
    let parent = path.parent().expect("has one");
    root.open_at(parent, OFlag::O_DIRECTORY, Mode::empty())
}

/// Whether there is a link to `target`, and nothing else.
fn leads(parent: &OwnedFd, name: &OsStr, target: &str) -> nix::Result<bool> {
    match readlinkat(parent, name) {
        // EINVAL: no link.
        Err(nix::Error::ENOENT | nix::Error::EINVAL) => Ok(false),
        found => found.map(|to| to == target),
    }
}

impl Placeholders {
    /// Makes sure that there is something at each of these paths in the image at `root`: a link to this target, if
    /// there was nothing. On an error nothing of ours stays.
    pub fn make(
        root: &Root,
        wanted: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Result<Self> {
        let mut made = Placeholders::default();
        for (path, target) in wanted {
            if let Err(error) = made.ensure(root, path, target) {
                // The first failure is the one to report.
                let _ = made.remove();
                return Err(error);
            }
        }
        Ok(made)
    }

    fn ensure(&mut self, root: &Root, path: &str, target: &'static str) -> Result<()> {
        let failed = || format!("cannot make /{path} in the image");
        let path = Path::new(path);
        let name = path.file_name().expect("has one");
        let parent = parent_of(root, path).context(Kind::Image, failed)?;
        let times = Times::of(&parent).context(Kind::Image, failed)?;
        match symlinkat(target, &parent, name) {
            Err(nix::Error::EEXIST) if leads(&parent, name, target) == Ok(true) => {}
            Err(nix::Error::EEXIST) => return Ok(()),
            made => made.context(Kind::Image, failed)?,
        }
        times.put_back().context(Kind::Image, failed)?;
        self.0.push(Placeholder {
            path: path.to_owned(),
            target,
            parent,
            times,
        });
        Ok(())
    }

    /// Takes the links away. What the playbook put in the place of one stays; a directory that nothing else changed
    /// gets its time stamps back.
    pub fn remove(self) -> Result<()> {
        for placeholder in self.0 {
            let Placeholder {
                path,
                target,
                parent,
                times,
            } = placeholder;
            let failed = || format!("cannot remove the placeholder /{}", path.display());
            let name = path.file_name().expect("has one");
            if leads(&parent, name, target).context(Kind::Teardown, failed)? {
                let unlink = || unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir);
                times.unchanged_by(unlink).context(Kind::Teardown, failed)?;
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
        std::fs::create_dir(at("e")).unwrap();
        let modified = || std::fs::metadata(at("e")).unwrap().modified().unwrap();
        let before = modified();
        let root = Root::open(dir.path()).unwrap();
        let wanted = || ["e/c", "e/d"].map(|path| (path, "/run/x"));
        let made = Placeholders::make(&root, wanted()).unwrap();
        assert_eq!(std::fs::read_link(at("e/c")).unwrap(), Path::new("/run/x"));
        assert_eq!(modified(), before);
        made.remove().unwrap();
        assert_eq!(modified(), before);
        let made = Placeholders::make(&root, wanted()).unwrap();
        std::fs::remove_file(at("e/d")).unwrap();
        std::fs::write(at("e/d"), "").unwrap();
        made.remove().unwrap();
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
        let free = |name| is_free(&root, name, "/run/x");
        assert!(free("e/ours") && free("e/none") && !free("e/own") && !free("e/empty"));
        assert!(!free("no-folder/x"));
        let wanted = ["e/ours", "e/own", "e/empty"].map(|path| (path, "/run/x"));
        Placeholders::make(&root, wanted).unwrap().remove().unwrap();
        assert!(std::fs::read_link(at("e/ours")).is_err());
        assert!(std::fs::read_link(at("e/own")).is_ok() && at("e/empty").exists());
    }

    #[test]
    fn what_was_made_before_an_error_goes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("e")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let wanted = ["e/a", "no-folder/b"].map(|path| (path, "/run/x"));
        assert!(Placeholders::make(&root, wanted).is_err());
        assert!(std::fs::symlink_metadata(dir.path().join("e/a")).is_err());
    }
}
