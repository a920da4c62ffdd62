//! Every system call and all `unsafe`: above this module the code is safe Rust over plain types.

pub mod bounded;
pub mod children;
pub mod command;
pub mod disk_device;
pub mod file;
pub mod frame;
pub mod in_use;
pub mod inroot;
pub mod kernel;
pub mod landlock;
pub mod loopdev;
pub mod memory;
pub mod mount;
pub mod network;
pub mod newfile;
pub mod packets;
pub mod private_files;
pub mod process;
pub mod programs;
pub mod qemu_img;
pub mod room;
pub mod scratch;
pub mod seccomp;
pub mod tar;
pub mod terminal;
pub mod trim;
