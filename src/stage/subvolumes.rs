//! The subvolume of a btrfs that holds the root, where the default one does not.

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::facts;
use crate::sys::inroot::{Root, path_of};

/// What distributions call it.
const USUAL: [&str; 4] = ["@", "@rootfs", "root", "rootfs"];
/// The most names at the top that are looked at.
const MAX: usize = 1000;

/// The name of the one with a Linux root, below `top`, the top of the file system.
pub(super) fn with_root(top: &Root) -> Option<String> {
    let mut names = top.names(".".as_ref(), MAX).ok()?;
    // The usual ones first. A comma would begin another mount option.
    names.retain(|name| !name.contains(','));
    names.sort_by_key(|name| {
        let place = USUAL.iter().position(|usual| usual == name);
        (place.unwrap_or(USUAL.len()), name.clone())
    });
    names.into_iter().find(|name| {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let Ok(dir) = top.open_at(name.as_ref(), flags, Mode::empty()) else {
            return false;
        };
        Root::open(&path_of(&dir)).is_ok_and(|root| facts::is_linux_root(&root))
    })
}
