//! The kernel that programs of the image see: as far as is known the one that the machine will have, and not this host's.
//!
//! What it knows of itself, [`sysctl`], [`modules`] and [`swaps`], is in [`Kernel`]. Programs see it in a file system of ours
//! ([`serve`]) that lies over /proc/sys, /proc/modules, /proc/swaps, /proc/filesystems and /sys/module ([`show`]). So what a
//! task writes there is read again, what the kernel would refuse is refused, and nothing of it reaches this host.
//! What of it is to be on the machine, and how it gets there, is judged by [`subject`].

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::{lacking::Lacking, modules::Modules, swaps::Swaps, sysctl::Sysctl};
use crate::sys::{self, inroot::Root};

pub mod assigned;
pub mod catalogue;
pub mod changes;
pub mod conf;
pub mod lacking;
pub mod modules;
pub mod persistent;
mod serve;
pub mod show;
pub mod subject;
pub mod swaps;
pub mod sysctl;
mod table;
mod value;
mod view;

/// What it knows.
#[derive(Debug)]
pub struct Kernel {
    /// /proc/sys.
    pub sysctl: Sysctl,
    /// The modules.
    pub modules: Modules,
    /// The swap space.
    pub swaps: Swaps,
    /// The release, as `uname -r` says it.
    pub release: String,
    /// Files that neither this host's kernel has nor the image, for programs that qemu runs.
    pub lacking: Lacking,
}

/// Shared by those that change it, and by the thread that programs read it from. That one waits for nothing else, so
/// whoever has it locked must not wait for a program.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Kernel>>);

impl Shared {
    /// The kernel of this release, or of none that is known, in the image below `root`, as it is after a boot.
    pub fn boot(root: &Path, release: Option<&str>) -> Self {
        let mut kernel = Kernel {
            sysctl: Sysctl::new(release),
            modules: Modules::default(),
            swaps: Swaps::default(),
            release: release.map_or_else(sys::kernel::release, str::to_owned),
            lacking: Lacking::default(),
        };
        if let Ok(root) = Root::open(root) {
            kernel.lacking = Lacking::of(&root, &kernel.release);
            kernel.boot(&root);
        }
        Shared(Arc::new(Mutex::new(kernel)))
    }

    /// For a moment, alone.
    pub fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kernel {
    /// It starts, in the image at `root` as that is now.
    pub fn boot(&mut self, root: &Root) {
        self.sysctl.start();
        self.swaps = Swaps::boot(root);
        // In this order: systemd loads modules first.
        self.modules = Modules::boot(root, &self.release);
        self.modules
            .names()
            .for_each(|name| self.sysctl.add_module(name));
        self.sysctl.boot(&assigned::read(root));
    }
}
