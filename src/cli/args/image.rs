//! `pichroot exec`, `pichroot shell` and `pichroot doctor`.

use std::ffi::OsString;

use clap::Args;

use super::open::OpenArgs;

const EXEC_EXAMPLES: &str = "\
Examples:
  Look into an image; whatever the command changes is thrown away:
    pichroot exec mypi.img -- cat /etc/os-release

  Change an image in place:
    pichroot exec --write mypi.img -- apt-get install -y htop

  From a download, with its checksum:
    pichroot exec --checksum file:SHA256SUMS ubuntu.img.xz -- dpkg -l

The exit code is the command's own.";

const SHELL_EXAMPLES: &str = "\
Examples:
  Look around; whatever is changed is thrown away:
    pichroot shell mypi.img

  Change an image in place:
    pichroot shell --write mypi.img

  Without a network:
    pichroot shell --network none mypi.img";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  What this machine can do, and what to run where it cannot:
    pichroot doctor

  As root, as which `pichroot ansible` is run:
    sudo pichroot doctor

  As one JSON document on standard output:
    pichroot doctor --json";

/// An image, and how its programs are run.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// The image: a path, a URL, or a name that `pichroot images` lists; compressed or not
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Keep the changes: work on the image in place, which has to be an uncompressed local file
    /// [default: on a copy that is thrown away]
    #[arg(long)]
    pub write: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub open: OpenArgs,

    /// Say more, such as how programs of the image were run
    #[arg(short)]
    pub verbose: bool,
}

/// Options of `pichroot exec`.
#[derive(Debug, Args)]
#[command(after_help = EXEC_EXAMPLES)]
pub struct ExecArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub image: ImageArgs,

    /// The command and its arguments, run as root in the image's /
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Options of `pichroot shell`.
#[derive(Debug, Args)]
#[command(after_help = SHELL_EXAMPLES)]
pub struct ShellArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub image: ImageArgs,
}

/// Options of `pichroot doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct DoctorArgs {
    /// Print one JSON document instead of a table
    #[arg(long)]
    pub json: bool,
}
