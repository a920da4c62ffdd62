//! pichroot: provisions ARM disk images with Ansible in a chroot.
//!
//! ARCHITECTURE.md tells which process runs what and which module may import which; in short, `use`
//! points down this list: `cli`, `config`, then `image`, `stage`, `chroot`, `ansible`, `secrets`,
//! then `emulation`, `disk`, `packages`, then `sys`, then `report`, `hex` and `error`.

pub mod ansible;
mod bytes;
pub mod chroot;
pub mod cli;
pub mod config;
pub mod disk;
pub mod elf;
pub mod emulation;
pub mod error;
pub mod fat;
pub mod hex;
pub mod image;
pub mod packages;
pub mod report;
pub mod secrets;
pub mod stage;
pub mod sys;
pub mod twins;
pub mod ui;

#[cfg(test)]
#[path = "../tests/support/skip.rs"]
mod skip;
