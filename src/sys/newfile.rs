//! A file that has no name until it is complete, so that nothing half-written is ever seen or left.
//!
//! Where the file system can (O_TMPFILE), the kernel removes it when its last descriptor goes, also
//! on kill -9. Elsewhere it has a temporary name and a lock; [`sweep`] removes those whose owner
//! is gone.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{errno::Errno, fcntl::OFlag};

use crate::sys;

/// A new file in a directory, open for reading and writing and locked against [`sweep`]. Dropped
/// without [`NewFile::publish`], it is gone.
pub struct NewFile {
    file: File,
    dir: PathBuf,
    prefix: OsString,
    /// Its temporary name, where it has one.
    temporary: Option<PathBuf>,
}

impl NewFile {
    /// A new, empty file in `dir` with exactly the permissions `mode`; should it need a temporary
    /// name, that begins with `prefix`.
    pub fn create(dir: &Path, prefix: &OsStr, mode: u32) -> io::Result<NewFile> {
        let unnamed = sys::file::open_unnamed(dir, 0o600);
        let unsupported = [
            Errno::EOPNOTSUPP,
            Errno::EISDIR,
            Errno::EINVAL,
            Errno::ENOENT,
        ];
        let new = match unnamed {
            Ok(file) => {
                // For the moment at which it gets a temporary name. A file system without locks
                // does without sweeps.
                let _ = file.try_lock();
                NewFile {
                    file,
                    dir: dir.into(),
                    prefix: prefix.into(),
                    temporary: None,
                }
            }
            Err(error) if unsupported.iter().any(|e| is(&error, *e)) => {
                NewFile::create_named(dir, prefix)?
            }
            Err(error) => return Err(error),
        };
        // Not at creation: there the umask would take bits away.
        new.file.set_permissions(fs::Permissions::from_mode(mode))?;
        Ok(new)
    }

    /// As [`NewFile::create`], with a temporary name from the beginning.
    fn create_named(dir: &Path, prefix: &OsStr) -> io::Result<NewFile> {
        loop {
            let path = temporary_path(dir, prefix);
            let file = match File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            let _ = file.try_lock();
            // A sweep may have come between the two lines above.
            if file.metadata()?.nlink() > 0 {
                let (dir, prefix) = (dir.into(), prefix.into());
                return Ok(NewFile {
                    file,
                    dir,
                    prefix,
                    temporary: Some(path),
                });
            }
        }
    }

    /// Another one in the same directory.
    pub fn another(&self) -> io::Result<NewFile> {
        NewFile::create(&self.dir, &self.prefix, 0o600)
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file the name `name` in its directory. Dropping it afterwards does no harm.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is such a file and it is not to `replace` it;
    /// the new file is then still there, to be published otherwise.
    pub fn publish(&mut self, name: &OsStr, replace: bool) -> io::Result<()> {
        let path = self.dir.join(name);
        if replace {
            let temporary = self.temporary_name()?;
            fs::rename(temporary, path)?;
            self.temporary = None;
            return Ok(());
        }
        let Some(temporary) = &self.temporary else {
            return sys::file::link_file(&self.file, &File::open(&self.dir)?, name);
        };
        match fs::hard_link(temporary, &path) {
            Ok(()) => fs::remove_file(temporary)?,
            // A file system without hard links, such as FAT.
            Err(error) if is(&error, Errno::EPERM) || is(&error, Errno::EOPNOTSUPP) => {
                if path.symlink_metadata().is_ok() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                fs::rename(temporary, path)?;
            }
            Err(error) => return Err(error),
        }
        self.temporary = None;
        Ok(())
    }

    /// Its temporary name, giving it one if it has none.
    fn temporary_name(&mut self) -> io::Result<PathBuf> {
        if let Some(path) = &self.temporary {
            return Ok(path.clone());
        }
        let dir = File::open(&self.dir)?;
        loop {
            let path = temporary_path(&self.dir, &self.prefix);
            match sys::file::link_file(&self.file, &dir, path.file_name().unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            self.temporary = Some(path.clone());
            return Ok(path);
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            // Best effort; the next sweep does what this could not.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes from `dir` the files whose names begin with `prefix` and that no process holds.
///
/// Best effort: what cannot be removed stays for the next time.
pub fn sweep(dir: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let temporary = name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        if !temporary || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let options = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(entry.path());
        if let Ok(file) = options
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes the names in `dir` durable. Some file systems cannot, which is no error.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(error) if is(&error, Errno::EINVAL) => Ok(()),
        other => other,
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

/// A path in `dir` that nobody has used yet.
fn temporary_path(dir: &Path, prefix: &OsStr) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.subsec_nanos());
    let mut name = prefix.to_owned();
    name.push(format!("{:x}-{count:x}-{now:x}", std::process::id()));
    dir.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    const PREFIX: &str = ".new-";

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Both ways of making one, in a fresh directory each.
    fn each_way(test: impl Fn(&Path, NewFile)) {
        let dir = tempfile::tempdir().unwrap();
        test(
            dir.path(),
            NewFile::create(dir.path(), PREFIX.as_ref(), 0o640).unwrap(),
        );
        let dir = tempfile::tempdir().unwrap();
        test(
            dir.path(),
            NewFile::create_named(dir.path(), PREFIX.as_ref()).unwrap(),
        );
    }

    #[test]
    fn unpublished_it_is_gone() {
        each_way(|dir, new| {
            drop(new);
            assert!(names(dir).is_empty());
        });
    }

    #[test]
    fn it_replaces_only_what_it_is_told_to() {
        each_way(|dir, mut new| {
            new.file().write_all_at(b"new", 0).unwrap();
            fs::write(dir.join("a"), "old").unwrap();
            let error = new.publish("a".as_ref(), false).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(dir.join("a")).unwrap(), b"old");
            new.publish("b".as_ref(), false).unwrap();
            drop(new);
            assert_eq!(names(dir), ["a", "b"]);
            assert_eq!(fs::read(dir.join("b")).unwrap(), b"new");
        });
        each_way(|dir, mut new| {
            fs::write(dir.join("a"), "old").unwrap();
            new.publish("a".as_ref(), true).unwrap();
            drop(new);
            assert_eq!(names(dir), ["a"]);
            assert_eq!(fs::read(dir.join("a")).unwrap(), b"");
        });
    }

    #[test]
    fn a_sweep_takes_only_what_nobody_holds() {
        each_way(|dir, mut new| {
            fs::write(dir.join(".new-stale"), "").unwrap();
            fs::write(dir.join("other"), "").unwrap();
            sweep(dir, PREFIX.as_ref());
            assert!(!names(dir).contains(&".new-stale".into()));
            new.publish("a".as_ref(), true).unwrap();
            assert_eq!(names(dir), ["a", "other"]);
        });
    }

    #[test]
    fn permissions_do_not_depend_on_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let new = NewFile::create(dir.path(), PREFIX.as_ref(), 0o666).unwrap();
        assert_eq!(new.file().metadata().unwrap().mode() & 0o777, 0o666);
    }
}
