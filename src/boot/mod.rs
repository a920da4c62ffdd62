//! Booting an image in a virtual machine: what of QEMU's it can be, with which arguments, and what its console shows.
//!
//! [`kernel`] reads what was found in the image, [`machine`] decides with that, [`arguments`] makes
//! the kernel's command line and [`qemu`] the emulator's. [`firmware`] is for machines that start by UEFI, and [`console`]
//! watches.

pub mod arguments;
pub mod console;
pub mod firmware;
pub mod kernel;
pub mod machine;
pub mod qemu;

#[cfg(test)]
mod tests;
