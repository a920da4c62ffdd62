//! `pichroot ansible`.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args};

use super::{open::OpenArgs, playbook::PlaybookArgs};
use crate::config::{Beside, Executor, Given, OnError};

const EXAMPLES: &str = "\
Examples:
  Build mypi.img from the image that ./pichroot.yml names:
    pichroot ansible bootstrap-ubuntu-image.yml -e hn_hostname=mypi

  Without a configuration file, from an image by its name, or from a file with its checksum:
    pichroot ansible site.yml --image raspios-lite-arm64 -o pi.img
    pichroot ansible site.yml --image ubuntu.img.xz --checksum file:SHA256SUMS -o pi.img

  With secrets, of which none is ever on a command line, in a log or on the disk:
    pichroot ansible site.yml --secret hn_ceph_key=vault:secret/ceph#key --secret pw=prompt

Exit codes: 0 done; 2 wrong arguments or configuration; 3 this machine cannot;
4 the image is bad; 5 the playbook failed; 6 the teardown failed; 130, 143 interrupted.";

/// Options of `pichroot ansible`. No `Debug`: `-e` may hold secrets.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct AnsibleArgs {
    /// The playbook: a path, else a name in ./playbooks, else one that comes with pichroot
    pub playbook: PathBuf,

    /// The image to start from: a path, a URL, or a name that `pichroot images` lists; compressed or not; never changed
    ///
    /// Default: image.source of the configuration file.
    #[arg(long, value_name = "SOURCE")]
    pub image: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub open: OpenArgs,

    /// Make the image this large before the playbook runs, as in 8G, or larger by as much as in +1G; the last
    /// partition grows, or N with :N behind
    #[arg(long, value_name = "SIZE")]
    pub grow: Option<String>,

    /// Where the result goes; repeatable; the ending is the format: .img, .img.xz, .img.zst, .img.gz, .qcow2, .vmdk,
    /// .vdi, .vhdx, .tar.xz, .tar.zst, .tar.gz, or / for a folder [default: image.output, else the machine's name, else
    /// the playbook's name with .img]
    #[arg(short, long = "output", value_name = "PATH")]
    pub outputs: Vec<PathBuf>,

    /// Make the image as small as its last file system allows at the end, with MARGIN to spare
    #[arg(long, value_name = "MARGIN", num_args = 0..=1, require_equals = true, default_missing_value = "64M")]
    pub shrink: Option<String>,

    /// What to make beside the outputs; repeatable
    #[arg(long = "with", value_name = "WHAT", value_delimiter = ',')]
    pub beside: Vec<Beside>,

    /// Publish the image in the end, as the section publish of the configuration file says
    #[arg(long)]
    pub publish: bool,

    /// Replace an output that exists
    #[arg(long)]
    pub force: bool,

    /// Succeed even if the playbook runs no task in the image
    #[arg(long)]
    pub allow_unchanged: bool,

    /// Variables: k=v words, a JSON or YAML object, or @FILE; repeatable, later ones win
    #[arg(short, long, value_name = "VARS")]
    pub extra_vars: Vec<String>,

    /// Variables from a YAML, JSON or *.pkrvars.hcl file; repeatable; -e wins over them
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,

    /// A secret variable; SOURCE is env:VAR, file:PATH, cmd:COMMAND, vault:PATH#FIELD or prompt;
    /// repeatable; wins over all other variables
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    pub secrets: Vec<String>,

    /// The user Ansible connects as [default: ansible.user of the configuration file]
    #[arg(short, long, value_name = "NAME")]
    pub user: Option<String>,

    /// An inventory of your own, for groups and variables: a path, or hosts with commas; repeatable
    /// [default: ANSIBLE_INVENTORY, else inventory of ansible.cfg]
    #[arg(short, long = "inventory", value_name = "INVENTORY")]
    pub inventories: Vec<String>,

    /// Narrow the hosts further; in any case no host but the image is reached
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub options: PlaybookArgs,

    /// What becomes of the work image on failure [default: cleanup]
    #[arg(long, value_name = "WHAT")]
    pub on_error: Option<OnError>,

    /// Go on from the image that --on-error keep has kept, at the task that failed
    #[arg(long)]
    pub resume: bool,

    /// How Ansible reaches the image [default: fast]
    #[arg(long, value_name = "HOW")]
    pub executor: Option<Executor>,

    /// Say more, and have Ansible say more; up to -vvvvvv
    #[arg(short, action = ArgAction::Count)]
    pub verbose: u8,

    /// Further arguments for ansible-playbook
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub rest: Vec<OsString>,
}

impl From<AnsibleArgs> for Given {
    fn from(args: AnsibleArgs) -> Self {
        Given {
            playbook: args.playbook,
            source: args.image,
            image: args.open.into(),
            grow: args.grow,
            outputs: args.outputs,
            shrink: args.shrink,
            beside: args.beside,
            extra_vars: args.extra_vars,
            var_files: args.var_files,
            secrets: args.secrets,
            user: args.user,
            inventories: args.inventories,
            limit: args.limit,
            verbosity: args.verbose,
            options: args.options.arguments(),
            rest: args.rest,
            on_error: args.on_error,
            resume: args.resume,
            executor: args.executor,
            publish: args.publish,
            force: args.force,
            allow_unchanged: args.allow_unchanged,
        }
    }
}
