//! The stage's directory: an empty one on the host, on which the stage mounts a tmpfs of its own.
//!
//! The mount is in the stage's namespace only, so that the host sees an empty directory. A small
//! process of its own removes it at the end ([`sweeper`]), also after `kill -9` of everything else.
//!
//! A call of ansible-playbook that needs no stage has its files in such a directory, too.

use std::{
    fs::{File, Permissions},
    io::{self, PipeWriter, Read, Write},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    fcntl::{Flock, FlockArg},
    sched::CloneFlags,
    sys::wait::waitpid,
    unistd::Pid,
};

use crate::{
    error::{Context, Kind, Result},
    sys::process::{self, Program, own_executable},
};

/// The name the sweeper is started by.
pub const SWEEPER: &str = "pichroot-sweeper";
/// The descriptor from which the sweeper reads the directory's path, and whose end is our end.
const WATCHED: i32 = 3;
/// Where such directories are made.
const PLACE: &str = "/run";
/// How their names begin.
const PREFIX: &str = "pichroot-";
/// How the names of those begin that have files, which are removed with them.
const FILES_PREFIX: &str = "pichroot-files-";

/// A directory of this run. Held by a lock, which ends with the process whatever happens to it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Given up before the sweeper is told.
    lock: Option<Flock<File>>,
    /// The other end is the sweeper's.
    watched: Option<PipeWriter>,
    sweeper: Pid,
}

impl Directory {
    /// Makes one, after removing those that killed runs left.
    pub fn make() -> Result<Self> {
        sweep(Path::new(PLACE));
        Self::make_in(Path::new(PLACE), PREFIX)
    }

    /// Makes one in `place` that will have files, not mounts.
    pub fn for_files(place: &Path) -> Result<Self> {
        Self::make_in(place, FILES_PREFIX)
    }

    fn make_in(place: &Path, prefix: &str) -> Result<Self> {
        let failed = || format!("cannot make a directory in {}", place.display());
        // Never a TempDir that removes its content when dropped: an image is mounted below.
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)
            .context(Kind::Host, failed)?;
        let path = made.keep();
        let lock = lock(&path).context(Kind::Host, failed)?;
        let (theirs, mut watched) = io::pipe().context(Kind::Host, failed)?;
        let sweeper = process::spawn(&Program {
            executable: &own_executable()?,
            name: SWEEPER,
            fds: &[(theirs.as_raw_fd(), WATCHED)],
            namespaces: CloneFlags::empty(),
            outlives_us: true,
            confined: true,
        })?;
        watched
            .write_all(path.as_os_str().as_encoded_bytes())
            .context(Kind::Host, failed)?;
        Ok(Directory {
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

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.lock.take());
        drop(self.watched.take());
        // What it cannot remove, the next run sweeps.
        let _ = waitpid(self.sweeper, None);
    }
}

/// The sweeper's `main`: waits for the end of the process that started it, whatever the reason, and
/// removes the directory.
pub fn sweeper() -> u8 {
    /// How often it tries, a moment apart: a killed run takes some to let go.
    const TRIES: usize = 200;
    let mut path = String::new();
    let read = process::adopt(WATCHED).map(|fd| File::from(fd).read_to_string(&mut path));
    if !matches!(read, Ok(Ok(_))) {
        return Kind::Usage.exit_code();
    }
    for _ in 0..TRIES {
        let removed = lock(Path::new(&path)).and_then(|_lock| remove(Path::new(&path)));
        if removed.is_ok() || !Path::new(&path).exists() {
            return 0;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Kind::Teardown.exit_code()
}

/// Where the nodes of the stage's loop devices are made, below its directory `dir`.
pub fn nodes(dir: &Path) -> PathBuf {
    dir.join("dev")
}

fn lock(path: &Path) -> std::io::Result<Flock<File>> {
    Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| errno.into())
}

/// Removes a directory of ours; only one that never has mounts together with what is in it.
fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.starts_with(FILES_PREFIX) {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_dir(path),
    }
}

/// Removes the directories that no running pichroot holds. One that is in use must stay: removing a
/// mount point unmounts it in every other namespace.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && let Ok(_lock) = lock(&entry.path()) {
            let _ = remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_that_nobody_holds_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let (held, left, other) = (
            place.path().join("pichroot-a"),
            place.path().join("pichroot-b"),
            place.path().join("x"),
        );
        for dir in [&held, &left, &other] {
            std::fs::create_dir(dir).unwrap();
        }
        let _lock = lock(&held).unwrap();
        sweep(place.path());
        assert!(held.exists() && !left.exists() && other.exists());
    }
}
