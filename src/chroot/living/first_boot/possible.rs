//! Whether there can be a unit for the first boot.

use std::path::{Path, PathBuf};

use crate::sys::inroot::{Root, path_of};

/// Why there can be none, and what to do.
pub type WhyNot = (&'static str, &'static str);

/// As it is one for systemd.
pub const NO_SYSTEMD: WhyNot = (
    "the image does not start systemd",
    "have the task write a file that every boot reads: docs/living-machines.md says more",
);

/// Why there can be none in the image below `root`, as far as that is known while tasks run: an image that starts nothing
/// yet may get its systemd by a later one. `wanted`: there may be one.
pub fn why_not(wanted: bool, root: &Path) -> Option<WhyNot> {
    if !wanted {
        return Some((
            "there is to be none",
            "leave this task out, or allow the unit with --first-boot on",
        ));
    }
    let other = init(root).is_some() && !has_systemd(root);
    other.then_some(NO_SYSTEMD)
}

/// Whether systemd is what the machine starts: it may be installed beside another.
pub fn has_systemd(root: &Path) -> bool {
    init(root).is_some_and(|init| init.ends_with("systemd/systemd"))
}

/// The program that the machine starts.
fn init(root: &Path) -> Option<PathBuf> {
    let init = Root::open(root).ok()?.locate("sbin/init".as_ref()).ok()?;
    std::fs::read_link(path_of(&init)).ok()
}
