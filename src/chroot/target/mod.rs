//! The machine that the image is for, as its files and facts show it: never the one that builds it.
//!
//! Roles, packages and Ansible look at files of the kernel to know what they are on. The chroot's kernel is this machine's,
//! so those files are [shown](files) as they will be, and Ansible's [facts] are put right.

pub mod board;
mod cpuinfo;
pub mod facts;
pub mod files;
pub mod kernel;
pub mod machine;
pub mod plan;
pub mod security;
