//! The pichroot command.

use std::{path::Path, process::ExitCode};

use pichroot::{chroot, cli, stage, twins};

fn main() -> ExitCode {
    // The other processes are this same program under another name; see ARCHITECTURE.md.
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name)
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    ExitCode::from(match name {
        stage::process::NAME => stage::process::main(),
        twins::place::process::NAME => twins::place::process::main(),
        stage::directory::SWEEPER => stage::directory::sweeper(),
        chroot::executor::NAME => chroot::executor::main(),
        chroot::client::NAME => chroot::client::main(),
        chroot::trial::NAME => chroot::trial::main(),
        _ => cli::main(),
    })
}
