//! What runs of older versions left: up to 0.1, the stage's directory was one of the host's.
//!
//! Killed at the wrong moment they left it behind, empty or with what a dying process still put there.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};

/// Where such directories were made.
pub const PLACE: &str = "/run";
/// How their names begin.
const PREFIX: &str = "pichroot-";

/// Removes those below `place` that no run holds with a lock. What cannot be removed stays: it is in nobody's way.
pub fn sweep(place: &Path) {
    let Ok(host) = fs::symlink_metadata(place) else {
        return;
    };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let path = entry.path();
        let made_by_us = |now: Metadata| {
            // Closed to others, and nothing that is mounted.
            let ours = now.uid() == host.uid() && now.mode() & 0o7777 == 0o700;
            now.is_dir() && ours && now.dev() == host.dev()
        };
        if ours && fs::symlink_metadata(&path).is_ok_and(made_by_us) && is_nobodys(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether the run that made it has ended.
fn is_nobodys(path: &Path) -> bool {
    let lock = |dir| Flock::lock(dir, FlockArg::LockExclusiveNonblock);
    File::open(path).is_ok_and(|dir| lock(dir).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_directories_that_nobody_holds_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = place.path().join(name);
            fs::create_dir_all(path.join("twins/bin")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (held, left) = (make("pichroot-a", 0o700), make("pichroot-b", 0o700));
        let (open, other) = (make("pichroot-c", 0o755), make("x", 0o700));
        let _lock = Flock::lock(File::open(&held).unwrap(), FlockArg::LockExclusive).unwrap();
        sweep(place.path());
        assert!(held.exists() && !left.exists() && open.exists() && other.exists());
    }
}
