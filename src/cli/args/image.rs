//! `pichroot exec`, `pichroot shell` and `pichroot doctor`.

use std::ffi::OsString;

use clap::Args;

use crate::config::{Emulation, Network, Shortcut, Shortcuts};

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
    /// The image: a path or URL; compressed or not
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Keep the changes: work on the image in place, which has to be an uncompressed local file
    /// [default: on a copy that is thrown away]
    #[arg(long)]
    pub write: bool,

    /// Checksum of the image: sha256:HEX, sha512:, sha1:, md5:, file:URL-OR-PATH, or none
    #[arg(long, value_name = "SUM")]
    pub checksum: Option<String>,

    /// How programs of the image are run
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub emulation: Emulation,

    /// The network that programs of the image see
    #[arg(long, value_name = "NETWORK", value_enum, default_value_t)]
    pub network: Network,

    /// A shortcut not to take; repeatable
    #[arg(long = "no-shortcut", value_name = "NAME")]
    pub no_shortcuts: Vec<Shortcut>,

    /// Say more, such as how programs of the image were run
    #[arg(short)]
    pub verbose: bool,
}

impl ImageArgs {
    /// All but those.
    pub fn shortcuts(&self) -> Shortcuts {
        let given = self.no_shortcuts.iter().copied();
        given.fold(Shortcuts::default(), Shortcuts::without)
    }
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
