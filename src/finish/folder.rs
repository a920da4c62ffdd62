//! A folder that becomes an output in one step, or never was there.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    unistd::syncfs,
};

use crate::{
    error::{Context, Error, Kind, Result},
    image::directory,
    sys::{
        mount,
        newfile::sync_dir,
        scratch::{self, Scratch},
    },
};

/// It, under a name that begins with a dot. Dropped unpublished it is gone, and so it is when the process is killed.
pub struct NewFolder {
    new: Scratch,
    path: PathBuf,
    force: bool,
}

impl NewFolder {
    /// A new, empty folder that may become `path`; `force` says whether what is there may be replaced. What a killed run
    /// with this output has left is removed.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be made.
    pub fn create(path: &Path, force: bool) -> Result<Self> {
        let dir = directory(path);
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".pichroot-");
        scratch::sweep(dir, &prefix);
        Ok(NewFolder {
            new: Scratch::make(dir, &prefix)?,
            path: path.into(),
            force,
        })
    }

    /// Where it is now.
    pub fn place(&self) -> &Path {
        self.new.path()
    }

    /// What it may become.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, complete and durable, in one step. What was there goes.
    ///
    /// # Errors
    /// [`Kind::Usage`] when something has appeared that must not be replaced; [`Kind::Host`] when the disk fails.
    pub fn publish(self) -> Result<()> {
        let shown = self.path.display();
        let failed = || format!("cannot write {shown}");
        let synced = File::open(self.place()).and_then(|folder| Ok(syncfs(&folder)?));
        synced.context(Kind::Host, failed)?;
        if mount::is_below(&self.path).context(Kind::Host, failed)? {
            return Err(Error::usage(format!("something is mounted in {shown}"))
                .hint("unmount it, and run this again: the folder is replaced as a whole"));
        }
        match self.take_place() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::usage(format!("{shown} appeared while it was made"))
                    .hint("move it away, or use --force to replace it, and run this again"));
            }
            taken => taken.context(Kind::Host, failed)?,
        }
        sync_dir(directory(&self.path)).context(Kind::Host, failed)
    }

    fn take_place(&self) -> io::Result<()> {
        if self.force {
            // What was there is then where this one was, and goes with it.
            match self.rename(RenameFlags::RENAME_EXCHANGE) {
                Err(Errno::ENOENT) => {}
                other => return Ok(other?),
            }
        }
        Ok(self.rename(RenameFlags::RENAME_NOREPLACE)?)
    }

    fn rename(&self, flags: RenameFlags) -> nix::Result<()> {
        renameat2(AT_FDCWD, self.place(), AT_FDCWD, &self.path, flags)
    }
}
