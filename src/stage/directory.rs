//! The stage's directory: an empty one on the host, on which the stage mounts a tmpfs of its own.
//!
//! The mount is in the stage's namespace only, so that the host sees an empty directory, which is
//! removed at the end. After `kill -9` of the supervisor it stays, empty; the next run removes it.

use std::{
    fs::{File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Context, Kind, Result};

/// Where such directories are made.
const PLACE: &str = "/run";
/// How their names begin.
const PREFIX: &str = "pichroot-";

/// A directory of this run. Held by a lock, which ends with the process whatever happens to it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Directory {
    /// Makes one, after removing those that killed runs left.
    pub fn make() -> Result<Self> {
        sweep(Path::new(PLACE));
        let failed = || format!("cannot make a directory in {PLACE}");
        // Never a TempDir that removes its content when dropped: an image is mounted below.
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(PLACE)
            .context(Kind::Host, failed)?;
        let path = made.keep();
        let lock = lock(&path).context(Kind::Host, failed)?;
        Ok(Directory { path, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Only ever an empty directory; if this fails the next run sweeps it.
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// Where the nodes of the stage's loop devices are made, below its directory `dir`.
pub fn nodes(dir: &Path) -> PathBuf {
    dir.join("dev")
}

fn lock(path: &Path) -> std::io::Result<Flock<File>> {
    Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| errno.into())
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
            let _ = std::fs::remove_dir(entry.path());
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
