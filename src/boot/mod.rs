//! Booting an image in a virtual machine: what of QEMU's it can be, with which arguments, and what its console shows.
//!
//! [`kernel`] and [`device_tree`] make of what was found in the image what QEMU takes, [`machine`] decides with that, [`arguments`] makes
//! the kernel's command line and [`qemu`] the emulator's. [`firmware`] is for machines that start by UEFI, and [`console`]
//! watches.

pub mod arguments;
pub mod console;
pub mod device_tree;
pub mod firmware;
pub mod kernel;
pub mod machine;
pub mod qemu;

#[cfg(test)]
mod tests;
