//! Every system call and all `unsafe`: above this module the code is safe Rust over plain types.

pub mod command;
pub mod file;
