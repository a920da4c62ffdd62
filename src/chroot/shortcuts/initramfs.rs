//! The initramfs, made once at the end in place of once for every package.
//!
//! A program of ours stands before update-initramfs where apt has dpkg find programs, and notes what packages want of it.
//! When the playbook has ended, the supervisor has that done.

use serde::{Deserialize, Serialize};

use crate::{
    chroot::placeholders,
    error::{Error, Result},
    event::Event,
    sys::inroot::Root,
};

/// The real program.
const REAL: &str = "usr/sbin/update-initramfs";
/// What it is told by the image.
const SETTINGS: &str = "etc/initramfs-tools/update-initramfs.conf";
/// The most of that that is read, in bytes.
const MAX_SETTINGS: u64 = 64 << 10;
/// Ours.
pub const AT: &str = "/run/pichroot/bin/update-initramfs";
/// Its text.
pub const PROGRAM: &str = include_str!("update-initramfs.sh");
/// apt gives dpkg a `PATH` of its own. Here it reads that first, so that what the image says itself wins. Nobody else's
/// `PATH` has ours in it: playbooks write theirs into files.
pub const APT_FILE: &str = "etc/apt/apt.conf.d/00pichroot-initramfs";
/// Where that leads.
pub const APT_TARGET: &str = "/run/pichroot/apt-initramfs.conf";
/// What it holds: our folder, and what apt has by itself.
pub const APT_TEXT: &str = r#"// Put here by pichroot while it provisions the image.
DPkg::Path "/run/pichroot/bin:/usr/sbin:/usr/bin:/sbin:/bin";
"#;
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

    /// As it is to be done now in the image at `root`: without the shortcut it would have been done when it was
    /// asked for.
    ///
    /// # Errors
    /// Says what is gone since, where there is nothing to be done.
    pub fn now(mut self, root: &Root) -> std::result::Result<Self, Event> {
        let gone = |what: &str| {
            Err(Event::NoInitramfs {
                kernel: self.kernel.clone(),
                gone: what.to_owned(),
            })
        };
        if !root.is_file(REAL.as_ref()) {
            return gone("update-initramfs");
        }
        let kernel = |name| root.locate(format!("boot/{name}-{}", self.kernel).as_ref());
        if kernel("vmlinuz").or_else(|_| kernel("vmlinux")).is_err() {
            return gone("its kernel");
        }
        if forbids_updates(root) {
            // Heeds no such setting.
            self.option = "-c".into();
        }
        Ok(self)
    }
}

/// Whether the image's settings, which are a shell's variables, have update-initramfs refuse `-u`.
fn forbids_updates(root: &Root) -> bool {
    let text = root
        .read(SETTINGS.as_ref(), MAX_SETTINGS)
        .unwrap_or_default();
    let value = |line: &str| {
        let value = line.trim().strip_prefix("update_initramfs=")?;
        let word = value.split([' ', '\t', '#', ';']).next()?;
        Some(word.trim_matches(['"', '\'']).to_owned())
    };
    text.lines().rev().find_map(value).as_deref() == Some("no")
}

/// Whether the image makes its initramfs by this program: where it is not installed, packages must not find ours.
///
/// # Errors
/// Says why not.
pub fn possible_in(root: &Root) -> std::result::Result<(), String> {
    if !root.is_file(REAL.as_ref()) {
        return Err(format!("the image has no /{REAL}"));
    }
    if !placeholders::is_free(root, APT_FILE, APT_TARGET) {
        return Err(format!("the image has a /{APT_FILE} of its own"));
    }
    Ok(())
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
