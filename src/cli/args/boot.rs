//! `pichroot boot`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::open::SourceArgs;
use crate::config::{GivenBoot, Network};

const EXAMPLES: &str = "\
Examples:
  Boot an image on this terminal; whatever the machine writes is thrown away:
    sudo pichroot boot mypi.img.xz

  In CI: wait for the login prompt, and fail with the console's last lines if it does not come:
    sudo pichroot boot mypi.img --until login --timeout 15m

  Run a playbook against the machine over SSH:
    sudo pichroot boot mypi.img --playbook verify.yml --user ubuntu --private-key id_ed25519 -e port=80 -- --become

  By the image's own boot loader, with more memory:
    sudo pichroot boot debian-12-generic-arm64.qcow2 --uefi --memory 2G

The exit code is 0 where what is waited for has come, 4 where it has not, and 5 where the playbook has failed.";

/// Options of `pichroot boot`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BootArgs {
    /// The image: a path, a URL, or a name that `pichroot images` lists; packed or not. It is never written
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// What to wait for, without a terminal: login, ssh (an answer of the SSH server), or a regular expression that a line
    /// of the console matches; then the machine is switched off
    #[arg(long, value_name = "WHAT")]
    pub until: Option<String>,

    /// For how long, as in 90s, 10m or 1h [default: 10m]
    #[arg(long, value_name = "SPAN")]
    pub timeout: Option<String>,

    /// A playbook to run against the machine over SSH, when it answers
    #[arg(long, value_name = "PLAYBOOK")]
    pub playbook: Option<PathBuf>,

    /// As whom the playbook logs in
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,

    /// With which key
    #[arg(long, visible_alias = "key-file", value_name = "FILE")]
    pub private_key: Option<PathBuf>,

    /// Variables for the playbook: NAME=VALUE, a JSON or YAML object, or @FILE; repeatable
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub extra_vars: Vec<String>,

    /// The machine's memory [default: 1G; a board has its own]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,

    /// How many processors it has [default: 2; a board has its own]
    #[arg(long, value_name = "NUMBER")]
    pub cpus: Option<u32>,

    /// QEMU's machine: virt, q35, raspi3b or raspi4b [default: what the image's kernel starts on]
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,

    /// Start the image's boot loader by UEFI [default: its kernel, where it has one]
    #[arg(long)]
    pub uefi: bool,

    /// A further argument for the kernel; repeatable
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub append: Vec<String>,

    /// The network that the machine sees; with none it can only be reached [default: host]
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<Network>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,

    /// Say more, such as QEMU's command line, and the console where it is waited for
    #[arg(short)]
    pub verbose: bool,

    /// Further arguments for ansible-playbook
    #[arg(last = true, value_name = "ARGUMENT")]
    pub rest: Vec<OsString>,
}

impl From<BootArgs> for GivenBoot {
    fn from(args: BootArgs) -> Self {
        GivenBoot {
            image: args.image,
            source: args.source.into(),
            until: args.until,
            timeout: args.timeout,
            playbook: args.playbook,
            user: args.user,
            private_key: args.private_key,
            extra_vars: args.extra_vars,
            memory: args.memory,
            processors: args.cpus,
            machine: args.machine,
            uefi: args.uefi,
            append: args.append,
            network: args.network,
            rest: args.rest,
        }
    }
}
