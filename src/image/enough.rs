//! Whether there is room for what is to come.

use std::path::Path;

use nix::{sys::statvfs::statvfs, unistd::geteuid};

use crate::error::{Error, Result};

/// Refuses `what`, which needs at least `needed` bytes in the cache's folder `dir`, where they are not free.
///
/// # Errors
/// [`crate::error::Kind::Host`], with both figures.
pub fn check(dir: &Path, needed: u64, what: &str) -> Result<()> {
    // What cannot be asked is met when it is written.
    let Ok(space) = statvfs(dir) else {
        return Ok(());
    };
    let blocks = match geteuid().is_root() {
        true => space.blocks_free(),
        false => space.blocks_available(),
    };
    let free = blocks.saturating_mul(space.fragment_size());
    if needed <= free {
        return Ok(());
    }
    Err(Error::host(format!(
        "there is no room in the cache for {what}: it takes at least {}, and {} has {} free",
        shown(needed),
        dir.display(),
        shown(free)
    ))
    .hint("free some space there, or set PICHROOT_CACHE_DIR to a larger place"))
}

fn shown(bytes: u64) -> String {
    match bytes >> 20 {
        mib @ ..10240 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib >> 10),
    }
}
