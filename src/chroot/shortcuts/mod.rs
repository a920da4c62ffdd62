//! Work that is left out or put off while an image is provisioned, since its result stays the same.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{event::Event, sys::inroot::Root};

pub mod apt_hooks;
pub mod initramfs;

/// Which shortcuts are taken; as in pichroot.yml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shortcuts {
    /// Programs of the image do not wait for the disk.
    pub sync: bool,
    /// What packages have apt do for a running machine is left out.
    pub apt_hooks: bool,
    /// The initramfs is made once, at the end, and not for every package.
    pub initramfs: bool,
    /// Packages that an earlier run has downloaded are used again.
    pub packages: bool,
}

/// Whether there is a use and a place for one; else why not.
type Look = fn(&Root) -> Result<(), String>;

/// The name of one, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shortcut {
    /// Do not wait for the disk
    Sync,
    /// Leave out what packages have apt do for a running machine
    AptHooks,
    /// Make the initramfs once, at the end
    Initramfs,
    /// Use packages again that an earlier run has downloaded
    Packages,
    /// All of them
    All,
}

impl Default for Shortcuts {
    fn default() -> Self {
        Shortcuts {
            sync: true,
            apt_hooks: true,
            initramfs: true,
            packages: true,
        }
    }
}

impl Shortcuts {
    /// Without this one.
    pub fn without(mut self, name: Shortcut) -> Self {
        let is = |other| name == other || name == Shortcut::All;
        self.sync &= !is(Shortcut::Sync);
        self.apt_hooks &= !is(Shortcut::AptHooks);
        self.initramfs &= !is(Shortcut::Initramfs);
        self.packages &= !is(Shortcut::Packages);
        self
    }

    /// Those of them that there is a use for in the image at `root`, and a place; of the others, why not.
    /// Looked at before anything of ours is put there.
    pub fn possible_in(mut self, root: &Root) -> (Self, Vec<Event>) {
        let looks = [
            (
                "apt-hooks",
                &mut self.apt_hooks,
                apt_hooks::possible_in as Look,
            ),
            ("initramfs", &mut self.initramfs, initramfs::possible_in),
        ];
        let mut told = Vec::new();
        for (name, taken, possible_in) in looks {
            if *taken && let Err(why) = possible_in(root) {
                told.push(Event::NoShortcut {
                    name: name.to_owned(),
                    why,
                });
                *taken = false;
            }
        }
        (self, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_can_be_left_out() {
        let all = Shortcuts::default();
        let left = |name| {
            let Shortcuts {
                sync,
                apt_hooks,
                initramfs,
                packages,
            } = all.without(name);
            [sync, apt_hooks, initramfs, packages]
        };
        assert_eq!(left(Shortcut::Sync), [false, true, true, true]);
        assert_eq!(left(Shortcut::AptHooks), [true, false, true, true]);
        assert_eq!(left(Shortcut::Initramfs), [true, true, false, true]);
        assert_eq!(left(Shortcut::Packages), [true, true, true, false]);
        assert_eq!(left(Shortcut::All), [false; 4]);
    }
}
