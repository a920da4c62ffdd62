//! The kernel that programs of the image see: as far as is known the one that the machine will have, and not this host's.
//!
//! What it knows of itself, [`sysctl`], [`modules`] and [`swaps`], is in [`Kernel`]. Programs see it in a file system of ours
//! ([`serve`]) that lies over /proc/sys, /proc/modules, /proc/swaps, /proc/filesystems and /sys/module ([`show`]). So what a
//! task writes there is read again, what the kernel would refuse is refused, and nothing of it reaches this host.
//! What of it is to be on the machine, and how it gets there, is in [`outstanding`].

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::{modules::Modules, swaps::Swaps, sysctl::Sysctl};
use crate::{
    error::{Context, Kind, Result},
    sys::inroot::Root,
};

pub mod assigned;
pub mod catalogue;
pub mod conf;
pub mod modules;
pub mod outstanding;
mod serve;
pub mod show;
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
    /// Ansible's task that runs now.
    pub task: Option<String>,
}

/// Shared by those that change it, and by the thread that programs read it from. That one waits for nothing else, so
/// whoever has it locked must not wait for a program.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Kernel>>);

impl Shared {
    /// The kernel of this release in the image at `root`, as it is after a boot.
    ///
    /// # Errors
    /// When there are no random numbers, or the image cannot be looked into.
    pub fn boot(root: &Root, release: Option<&str>) -> Result<Self> {
        let kernel = boot(root, release).context(Kind::Host, || "cannot make up a kernel".into())?;
        Ok(Shared(Arc::new(Mutex::new(kernel))))
    }

    /// For a moment, alone.
    pub fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn boot(root: &Root, release: Option<&str>) -> io::Result<Kernel> {
    let mut sysctl = Sysctl::new(release)?;
    let modules = Modules::boot(root, release);
    // In this order: systemd loads modules first.
    modules.names().for_each(|name| sysctl.add_module(name));
    sysctl.boot(&assigned::read(root));
    Ok(Kernel {
        sysctl,
        modules,
        swaps: Swaps::boot(root),
        task: None,
    })
}
