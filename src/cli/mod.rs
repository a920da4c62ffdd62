//! The command line: arguments and help. Each subcommand makes a plan of them and hands it over.

pub mod args;
mod doctor;
mod foreign;
mod subcommands;
mod usage;

use args::{Cli, Command};
use clap::Parser;

use crate::ui::Ui;

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
        Command::Boot(args) => args.verbose,
        Command::Images(args) => args.verbose,
        Command::Publish(args) => args.verbose,
        Command::Flash(_) | Command::Import(_) | Command::Doctor(_) => false,
    };
    let ui = Ui::new(verbose);
    let done = match command {
        Command::Ansible(args) => subcommands::ansible(*args, &ui),
        Command::Exec(args) => subcommands::exec(args, &ui),
        Command::Shell(args) => subcommands::shell(args, &ui),
        Command::Boot(args) => subcommands::boot(*args, &ui),
        Command::Images(args) => subcommands::images(&args, &ui),
        Command::Import(args) => subcommands::import(args, &ui),
        Command::Publish(args) => subcommands::publish(*args, &ui),
        Command::Flash(args) => subcommands::flash(args, &ui),
        Command::Doctor(args) => doctor::run(&args),
    };
    done.unwrap_or_else(|error| {
        ui.error(&error);
        error.kind().exit_code()
    })
}
