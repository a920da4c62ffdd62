//! A file that becomes an output in one step, complete and durable, or never was there.

use std::{
    ffi::OsString,
    fs::{File, Permissions},
    io,
    os::unix::fs::{PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use crate::{
    error::{Context, Error, Kind, Result},
    sys::newfile::{self, NewFile},
};

/// The permissions of an output. A provisioned image holds what the playbook put in, such as Ceph
/// keys, Wi-Fi passwords and password hashes, so only its owner may read it.
const MODE: u32 = 0o600;

/// It, without a name where the file system can do that. Dropped unpublished it is gone.
pub struct OutputFile {
    new: NewFile,
    path: PathBuf,
    force: bool,
    /// Whom it is given to, by user and group; as it is where `None`.
    owner: Option<(u32, u32)>,
}

impl OutputFile {
    /// A new, empty file that may become `path`, which is not touched yet; `force` says whether it may be replaced in the
    /// end. What a killed run with this output has left is removed.
    pub fn create(path: &Path, force: bool, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let dir = directory(path);
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".pichroot-");
        newfile::sweep(dir, &prefix);
        Ok(OutputFile {
            new: NewFile::create(dir, &prefix, MODE)?,
            path: path.into(),
            force,
            owner,
        })
    }

    /// It, open for reading and writing.
    pub fn file(&self) -> &File {
        self.new.file()
    }

    /// Lets everybody read it: it tells nothing of what an image holds.
    pub fn open_to_all(&self) -> io::Result<()> {
        self.file().set_permissions(Permissions::from_mode(0o644))
    }

    /// What it may become.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it the output, complete and durable, in one step.
    ///
    /// # Errors
    /// [`Kind::Usage`] when an output has appeared that must not be replaced: then the file is kept
    /// under another name, which the hint tells. [`Kind::Host`] when the disk fails.
    pub fn publish(mut self) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        self.give_to_owner().context(Kind::Host, failed)?;
        self.file().sync_all().context(Kind::Host, failed)?;
        let name = self.path.file_name().unwrap_or_default();
        match self.new.publish(name, self.force) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = self.path.clone();
                let kept = self.name_uniquely("new")?;
                return Err(Error::usage(format!(
                    "{} appeared while the image was made",
                    path.display()
                ))
                .hint(format!("the finished image is {}", kept.display())));
            }
            other => other.context(Kind::Host, failed)?,
        }
        newfile::sync_dir(directory(&self.path)).context(Kind::Host, failed)
    }

    /// Gives it the name of `kept` in the same directory, in place of what has that.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be given a name.
    pub fn keep(mut self, kept: &Path) -> Result<()> {
        let failed = || format!("cannot keep the image as {}", kept.display());
        self.give_to_owner().context(Kind::Host, failed)?;
        let name = kept.file_name().unwrap_or_default();
        self.new.publish(name, true).context(Kind::Host, failed)
    }

    fn give_to_owner(&self) -> io::Result<()> {
        match self.owner {
            Some((user, group)) => fchown(self.file(), Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Gives it a name in the output's directory that nothing has.
    fn name_uniquely(&mut self, ending: &str) -> Result<PathBuf> {
        let mut number = 1;
        loop {
            let mut name = self.path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{ending}"));
            if number > 1 {
                name.push(format!(".{number}"));
            }
            match self.new.publish(&name, false) {
                Ok(()) => return Ok(self.path.with_file_name(name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return Err(error).context(Kind::Host, || {
                        format!("cannot keep the image as {}", Path::new(&name).display())
                    });
                }
            }
        }
    }
}

/// The folder that `path` is in.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}
