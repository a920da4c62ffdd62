//! Room for images: in the cache, and where the output goes.

use std::path::Path;

use nix::{
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};

use super::check::Check;
use crate::config::Surroundings;

/// Room for a base image and a work image of some GiB each, in GiB.
const COMFORTABLE: f64 = 8.0;

/// The cache: where it is, whether it can be written, and how much fits.
pub fn cache(around: &Surroundings) -> Check {
    const ID: &str = "cache";
    let elsewhere = "export PICHROOT_CACHE_DIR=/a/larger/place";
    match around.cache_dir() {
        Ok(dir) => place(ID, &dir, elsewhere),
        Err(error) => Check::missing(ID, error.to_string()).run(elsewhere.to_owned()),
    }
}

/// The working directory, where the output goes unless said otherwise.
pub fn output(cwd: &Path) -> Check {
    place("output", cwd, "cd /a/larger/place")
}

fn place(id: &'static str, dir: &Path, elsewhere: &str) -> Check {
    // It is made by the first run; until then its parents tell.
    let Some(existing) = dir.ancestors().find(|dir| dir.is_dir()) else {
        return Check::missing(id, format!("{} cannot be made", dir.display()))
            .run(elsewhere.to_owned());
    };
    let shown = dir.display();
    if access(existing, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Check::missing(id, format!("{shown} cannot be written")).run(elsewhere.to_owned());
    }
    let Ok(space) = statvfs(existing) else {
        return Check::warning(id, format!("{shown}; its free space cannot be told"));
    };
    let bytes = space.blocks_available() as f64 * space.fragment_size() as f64;
    let free = bytes / f64::from(1 << 30);
    let found = format!("{shown}, {free:.1} GiB free");
    if free < COMFORTABLE {
        return Check::warning(id, format!("{found}; images take several"))
            .run(elsewhere.to_owned());
    }
    Check::ok(id, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    #[test]
    fn a_place_that_is_not_made_yet_is_judged_by_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        let check = place("cache", &folder.path().join("a/b"), "x");
        assert_ne!(check.status, Status::Missing);
        assert!(check.found.contains("a/b, "), "{}", check.found);
    }
}
