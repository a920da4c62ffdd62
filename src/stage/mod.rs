//! The stage: the namespaces in which one image is mounted, and the process that owns them.
//!
//! The supervisor starts the stage process ([`process::main`]) and talks to it through a
//! [`handle::Handle`]; [`protocol`] is what they say. In the stage, [`mounts`] attaches and mounts
//! the image in the stage's [`directory`] and takes it apart again, [`partition`] by partition; [`boot`] and [`subvolumes`] find what the fstab does not tell.
//! [`boot_files`] and [`kernels`] are for who boots it.
//! [`facts`] looks at what it
//! is, and [`executor`] starts the process inside the chroot.

mod boot;
pub mod boot_files;
pub mod directory;
pub mod disk;
pub mod executor;
pub mod facts;
mod fullness;
pub mod handle;
mod installed;
pub mod job;
pub mod kernels;
mod leaks;
pub mod mounts;
pub mod older;
pub mod outstanding;
pub mod partition;
pub mod process;
pub mod protocol;
mod read;
mod serve;
mod subvolumes;
mod supervisor;
mod unpack;
pub mod warm;
mod work;
