//! pichroot: provisions ARM disk images with Ansible in a chroot.
//!
//! ARCHITECTURE.md tells which process runs what and which module may import which.

mod address;
pub mod ansible;
mod bytes;
pub mod chroot;
pub mod cli;
pub mod config;
pub mod disk;
pub mod elf;
pub mod emulation;
pub mod error;
pub mod event;
pub mod fat;
pub mod hex;
pub mod image;
pub mod packages;
mod run;
pub mod secrets;
pub mod stage;
pub mod sys;
pub mod twins;
pub mod ui;
