//! A folder that goes with its owner, whatever happens to that.
//!
//! A small process of its own removes the folder ([`sweeper`]), also after `kill -9` of everything else; what it cannot, the
//! next run removes ([`sweep`]).

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions},
    io::{self, PipeWriter, Read, Write},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sched::CloneFlags,
    sys::wait::waitpid,
    unistd::Pid,
};

use super::process::{self, Program, own_executable};
use crate::error::{Context, Kind, Result};

/// The name the sweeper is started by.
pub const SWEEPER: &str = "pichroot-sweeper";
/// The descriptor from which the sweeper reads the folder's path, and whose end is our end.
const WATCHED: i32 = 3;
/// The folder. Held by a lock, which ends with the process whatever happens to it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lock: Option<Flock<File>>,
    /// The other end is the sweeper's.
    watched: Option<PipeWriter>,
    /// None in unit tests, whose program would run them all again by any name.
    sweeper: Option<Pid>,
}

impl Scratch {
    /// Makes one below `place`, with a name that begins with `prefix`.
    pub fn make(place: &Path, prefix: &OsStr) -> Result<Self> {
        let failed = || format!("cannot make a directory in {}", place.display());
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)
            .context(Kind::Host, failed)?;
        let lock = lock(made.path()).context(Kind::Host, failed)?;
        let (theirs, mut watched) = io::pipe().context(Kind::Host, failed)?;
        let sweeper = match cfg!(test) {
            true => None,
            false => Some(process::spawn(&Program {
                executable: &own_executable()?,
                name: SWEEPER,
                fds: &[(theirs.as_raw_fd(), WATCHED)],
                namespaces: CloneFlags::empty(),
                outlives_us: true,
                confined: true,
            })?),
        };
        let path = made.keep();
        watched
            .write_all(path.as_os_str().as_encoded_bytes())
            .context(Kind::Host, failed)?;
        drop(theirs);
        Ok(Scratch {
            path,
            lock: Some(lock),
            watched: Some(watched),
            sweeper,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.lock.take());
        drop(self.watched.take());
        // What it cannot remove, the next run sweeps.
        let _ = match self.sweeper {
            Some(sweeper) => waitpid(sweeper, None).is_ok(),
            None => fs::remove_dir_all(&self.path).is_ok(),
        };
    }
}

/// Removes from `place` the folders whose names begin with `prefix` and that no process holds. Best effort.
pub fn sweep(place: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) && lock(&entry.path()).is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The sweeper's `main`: waits for the end of the process that started it, whatever the reason, and
/// removes the folder.
pub fn sweeper() -> u8 {
    let mut path = String::new();
    let read = process::adopt(WATCHED).map(|fd| File::from(fd).read_to_string(&mut path));
    if !matches!(read, Ok(Ok(_))) {
        return Kind::Usage.exit_code();
    }
    match fs::remove_dir_all(path) {
        Ok(()) => 0,
        Err(_) => Kind::Teardown.exit_code(),
    }
}

fn lock(path: &Path) -> io::Result<Flock<File>> {
    Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| errno.into())
}
