//! The command line: what each subcommand does, in terms of the modules below.

pub mod args;
mod deferred;
mod doctor;
mod image;
mod playbook;
mod session;
mod signals;
mod usage;

use args::{Cli, Command};
use clap::Parser;

use crate::{
    error::{Error, Result},
    ui::Ui,
};

/// Does what the command line says; returns the exit code.
pub fn main() -> u8 {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return usage::show(&error, &Ui::new(false)),
    };
    let verbose = match &command {
        Command::Ansible(args) => args.verbose > 0,
        Command::Exec(args) => args.image.verbose,
        Command::Shell(args) => args.image.verbose,
        Command::Doctor(_) => false,
    };
    let ui = Ui::new(verbose);
    let done = match command {
        Command::Ansible(args) => playbook::run(*args, &ui).map(|()| 0),
        Command::Exec(args) => image::exec(args, &ui),
        Command::Shell(args) => image::shell(args, &ui),
        Command::Doctor(args) => doctor::run(&args),
    };
    done.unwrap_or_else(|error| {
        ui.error(&error);
        error.kind().exit_code()
    })
}

/// Refuses to go on without root: mounting and loop devices need it.
fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::host("pichroot mounts the image, which needs root")
        .hint("run it with sudo; the output will belong to you"))
}
