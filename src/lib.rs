//! pichroot: provisions ARM disk images with Ansible in a chroot.
//!
//! ARCHITECTURE.md tells which process runs what and which module may import which. Outside there is only
//! [`main`]: so the compiler knows what nothing uses.

mod address;
mod ansible;
mod bare;
mod boot;
mod bytes;
mod chroot;
mod cli;
mod config;
mod disk;
mod elf;
mod emulation;
mod error;
mod event;
mod fat;
mod finish;
mod hex;
mod image;
mod import;
mod nearest;
mod netboot;
mod packages;
mod publish;
mod run;
mod secrets;
mod shape;
mod stage;
mod sys;
mod twins;
mod ui;

#[cfg(test)]
#[path = "../tests/support/fuzz.rs"]
mod fuzz;
#[cfg(test)]
#[path = "../tests/support/skip.rs"]
mod skip;

use std::path::Path;

/// The program: the command line, or under another name one of our other processes. Returns the exit code.
pub fn main() -> u8 {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().and_then(|name| name.to_str());
    match name.unwrap_or_default() {
        stage::process::NAME => stage::process::main(),
        twins::place::process::NAME => twins::place::process::main(),
        sys::scratch::SWEEPER => sys::scratch::sweeper(),
        chroot::executor::NAME => chroot::executor::main(),
        chroot::client::NAME => chroot::client::main(),
        chroot::trial::NAME => chroot::trial::main(),
        _ => cli::main(),
    }
}

/// What whole-program tests and benches look at from the inside.
#[doc(hidden)]
pub mod inside {
    pub use crate::{
        ansible::{Connection, ExtraVars, Play, json::Vars},
        cli::args::Cli,
        config::{extra_vars, key_value},
        event::Silent,
        finish::{
            images::{Making, make},
            output::Output,
        },
        image::{Cache, Source, WorkImage, fetch},
    };
}
