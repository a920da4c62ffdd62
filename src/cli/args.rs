//! The command line as it is typed.

mod ansible;
mod boot;
mod flash;
mod image;
mod images;
mod import;
mod open;
mod playbook;
mod publish;

pub use ansible::AnsibleArgs;
pub use boot::BootArgs;
pub use flash::FlashArgs;
pub use image::{DoctorArgs, ExecArgs, ImageArgs, ShellArgs};
pub use images::ImagesArgs;
pub use import::ImportArgs;
pub use publish::PublishArgs;

use clap::{Parser, Subcommand};

/// What `--version` tells, and `-V` the first line of.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "

Licences of what is in this program:
  MIT OR Apache-2.0   pichroot itself, with its playbooks and the Python that it runs in images
  GPL-3.0-or-later    two plugins for Ansible, carried as files and not linked in
  MIT, Apache-2.0, BSD, ISC and the like
                      the libraries that are linked in"
);

/// Provisions ARM disk images with Ansible, in a chroot
#[derive(Parser)]
#[command(name = "pichroot", version, long_version = VERSION, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Provision an image with a playbook
    Ansible(Box<AnsibleArgs>),
    /// Run one command in an image
    Exec(ExecArgs),
    /// Open a shell in an image
    Shell(ShellArgs),
    /// Boot an image in a virtual machine
    Boot(Box<BootArgs>),
    /// Search the lists of images whose names may be given as --image
    Images(ImagesArgs),
    /// Translate a Packer template
    Import(ImportArgs),
    /// Publish an image for a machine that boots from the network
    Publish(Box<PublishArgs>),
    /// Write an image to a card
    Flash(FlashArgs),
    /// Tell whether this machine can do it, and what to run if not
    Doctor(DoctorArgs),
}

#[cfg(test)]
#[path = "args/tests.rs"]
mod tests;
