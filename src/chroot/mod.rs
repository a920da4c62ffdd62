//! The chroot: the image's file systems with the kernel's, and the executor that runs in them.
//!
//! The stage starts the executor ([`executor::main`]) with a [`plan::ChrootPlan`]; the executor
//! prepares ([`filesystems`], [`services`], [`emulator`]), confines itself ([`confine`]) and serves
//! ([`server`]): commands ([`exec`]), modules of Ansible's ([`zygote`]), a few shell lines that need no
//! shell ([`shell_lines`]), and [`files`]. [`initramfs_modules`] keeps the build machine's hardware out of an initramfs,
//! [`disk`] its disks out of everything, and [`target`] the
//! rest of it. Programs on the host's side reach it as [`client`]s. A [`trial`] does the same with
//! no image, for `pichroot doctor`.

pub mod client;
pub mod confine;
pub mod covers;
pub mod disk;
pub mod emulator;
pub mod exec;
pub mod executor;
pub mod files;
pub mod filesystems;
pub mod initramfs_modules;
#[allow(dead_code, reason = "more of its tools come")]
pub mod living;
mod nodes;
pub mod placeholders;
pub mod plan;
mod processes;
pub mod protocol;
pub mod room;
pub mod server;
pub mod services;
pub mod shell_lines;
pub mod shortcuts;
pub mod streams;
mod table;
pub mod target;
mod times;
pub mod trial;
pub mod zygote;
