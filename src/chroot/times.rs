//! The time stamps of a directory of the image, which what is put there for the moment must not change.

use std::os::fd::OwnedFd;

use nix::sys::{
    stat::{UtimensatFlags, fstat, utimensat},
    time::TimeSpec,
};

/// Those of access and change, to be put back.
#[derive(Debug)]
pub struct Times {
    dir: OwnedFd,
    before: [TimeSpec; 2],
}

impl Times {
    /// As they are now.
    pub fn of(dir: &OwnedFd) -> nix::Result<Self> {
        let stat = fstat(dir)?;
        Ok(Times {
            dir: dir.try_clone().map_err(|_| nix::Error::EMFILE)?,
            before: [
                TimeSpec::new(stat.st_atime, stat.st_atime_nsec),
                TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec),
            ],
        })
    }

    /// Puts them back.
    pub fn put_back(&self) -> nix::Result<()> {
        let [accessed, changed] = &self.before;
        utimensat(
            &self.dir,
            ".",
            accessed,
            changed,
            UtimensatFlags::FollowSymlink,
        )
    }

    /// Does something to the directory, and puts them back where nothing else has changed it.
    pub fn unchanged_by<E: From<nix::Error>>(
        self,
        change: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let now = fstat(&self.dir)?;
        change()?;
        let [_, changed] = &self.before;
        if (now.st_mtime, now.st_mtime_nsec) == (changed.tv_sec(), changed.tv_nsec()) {
            self.put_back()?;
        }
        Ok(())
    }
}
