//! The initramfs, made once at the end in place of once for every package.
//!
//! A program of ours stands before update-initramfs on `PATH`, and notes what packages want of it. When the
//! playbook has ended, the supervisor has that done.

use std::path::Path;

use nix::{
    fcntl::{AtFlags, OFlag},
    sys::stat::{Mode, fstatat},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    sys::inroot::Root,
};

/// The real program.
const REAL: &str = "usr/sbin/update-initramfs";
/// Where ours is: on `PATH`, and sudo's, before the real one. No package has a file there.
pub const FILE: &str = "usr/local/sbin/update-initramfs";
/// Where that leads.
pub const TARGET: &str = "/run/pichroot/update-initramfs";
/// Ours.
pub const PROGRAM: &str = include_str!("update-initramfs.sh");
/// Where it notes what it puts off.
pub const RECORD: &str = "/run/pichroot/initramfs";
/// The longest record that is read, in bytes.
pub const MAX_RECORD: u64 = 64 << 10;
/// More kernels than an image has.
const MAX_KERNELS: usize = 100;

/// Something that was put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outstanding {
    /// The option of update-initramfs: `-c` or `-u`.
    option: String,
    /// The kernel's release.
    pub kernel: String,
}

impl Outstanding {
    /// The command in the chroot that does it.
    pub fn command(&self) -> [String; 4] {
        let real = format!("/{REAL}");
        [real, self.option.clone(), "-k".into(), self.kernel.clone()]
    }
}

/// Whether the image makes its initramfs by this program, and has no other in our place. Where it is not
/// installed, packages must not find ours.
///
/// # Errors
/// Says why not.
pub fn possible_in(root: &Root) -> std::result::Result<(), String> {
    let file = Path::new(FILE);
    let folder = file.parent().expect("has one");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let folder = root.open_at(folder, flags, Mode::empty());
    let free = |folder| {
        let name = file.file_name().expect("has one");
        fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(nix::Error::ENOENT)
    };
    if !root.is_file(REAL.as_ref()) {
        return Err(format!("the image has no /{REAL}"));
    }
    match folder.is_ok_and(free) {
        true => Ok(()),
        false => Err(format!("the image has no place for /{FILE}")),
    }
}

/// Reads the record: one line `c KERNEL` or `u KERNEL` for each.
///
/// # Errors
/// When something else than our program wrote it.
pub fn read(record: &str) -> Result<Vec<Outstanding>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+~_-".contains(c);
    let call = |line: &str| {
        let (option, kernel) = line.split_once(' ')?;
        let good = ["c", "u"].contains(&option)
            && (1..=255).contains(&kernel.len())
            && !kernel.starts_with('-')
            && kernel.chars().all(plain);
        good.then(|| Outstanding {
            option: format!("-{option}"),
            kernel: kernel.to_owned(),
        })
    };
    let calls: Option<Vec<_>> = record.lines().map(call).collect();
    calls
        .filter(|calls| calls.len() <= MAX_KERNELS)
        .ok_or_else(|| {
            Error::image(format!("{RECORD} in the image is not as pichroot wrote it"))
                .hint("something in the image changed it; --no-shortcut initramfs does without")
        })
}

#[cfg(test)]
#[path = "initramfs_tests.rs"]
mod tests;
