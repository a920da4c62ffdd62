//! `pichroot publish`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::open::SourceArgs;
use crate::config::{GivenPublish, GivenTargets};

const EXAMPLES: &str = "\
Examples:
  Publish mypi.img as pichroot.yml says, in its section publish:
    sudo pichroot publish -e hn_hostname=mypi

  The boot files for the TFTP server, and the root file system for the NFS server:
    sudo pichroot publish mypi.img -i inventory -l mypi --tftp /srv/tftp --nfs-root /srv/nfs

  The root file system on Ceph, with the key of the user that may write there:
    sudo pichroot publish mypi.img -e @mypi.yml --tftp /srv/tftp --rbd pi-root/mypi --ceph-user publisher \\
      --key vault:secret/ceph#key

  See whether a Pi would boot from it, and go back to what it booted from before:
    sudo pichroot publish --check -e hn_hostname=mypi
    sudo pichroot publish --rollback -e hn_hostname=mypi";

/// Options of `pichroot publish`. No `Debug`: `-e` may hold secrets.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PublishArgs {
    /// The image: a path or a URL; packed or not; never changed
    /// [default: the first image in image.output of the configuration file, else the machine's name with .img]
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub to: TargetArgs,

    /// Make the checks, and publish nothing
    #[arg(long, conflicts_with = "rollback")]
    pub check: bool,

    /// Serve again what was served before
    #[arg(long)]
    pub rollback: bool,

    /// Variables: k=v words, a JSON or YAML object, or @FILE; repeatable, later ones win
    #[arg(short, long, value_name = "VARS")]
    pub extra_vars: Vec<String>,

    /// Variables from a YAML, JSON or *.pkrvars.hcl file; repeatable; -e wins over them
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,

    /// An inventory, for the machine's variables: a path, or hosts with commas; repeatable
    /// [default: ANSIBLE_INVENTORY, else inventory of ansible.cfg]
    #[arg(short, long = "inventory", value_name = "INVENTORY")]
    pub inventories: Vec<String>,

    /// Which machine of the inventory
    #[arg(short, long, value_name = "NAME")]
    pub limit: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,

    /// Say more
    #[arg(short, action = ArgAction::SetTrue)]
    pub verbose: bool,
}

/// Where an image is published.
#[derive(Debug, Default, Args)]
pub struct TargetArgs {
    /// The folder that the TFTP server serves: the boot files become DIR/SERIAL
    #[arg(long, value_name = "DIR")]
    pub tftp: Option<PathBuf>,

    /// The folder with the root file systems that the NFS server exports: this one becomes DIR/MACHINE
    #[arg(long, value_name = "DIR")]
    pub nfs_root: Option<PathBuf>,

    /// The block device of Ceph's that the root file system becomes: POOL/IMAGE or POOL/NAMESPACE/IMAGE
    #[arg(long, value_name = "IMAGE")]
    pub rbd: Option<String>,

    /// Ceph's configuration [default: /etc/ceph/ceph.conf, or the machine's hn_ceph_monitors]
    #[arg(long, value_name = "FILE")]
    pub ceph_conf: Option<PathBuf>,

    /// The user of Ceph's that may write there, without client. [default: admin]
    #[arg(long, value_name = "NAME")]
    pub ceph_user: Option<String>,

    /// That user's key: env:VAR, file:PATH, cmd:COMMAND, vault:PATH#FIELD or prompt [default: a keyring in /etc/ceph]
    #[arg(long, value_name = "SOURCE")]
    pub key: Option<String>,

    /// How many generations are kept beside the one that is served [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub keep: Option<usize>,

    /// A check that is left out, or all; repeatable
    #[arg(long = "no-check", value_name = "NAME")]
    pub no_checks: Vec<String>,

    /// Replace what pichroot has not made, or what the machine has written to since
    #[arg(long)]
    pub force: bool,

    /// Write what the servers need to know to files in DIR
    #[arg(long, value_name = "DIR")]
    pub write_configuration: Option<PathBuf>,
}

impl From<TargetArgs> for GivenTargets {
    fn from(args: TargetArgs) -> Self {
        GivenTargets {
            tftp: args.tftp,
            nfs_root: args.nfs_root,
            rbd: args.rbd,
            ceph_conf: args.ceph_conf,
            ceph_user: args.ceph_user,
            key: args.key,
            keep: args.keep,
            without: args.no_checks,
            force: args.force,
            configuration: args.write_configuration,
        }
    }
}

impl From<PublishArgs> for GivenPublish {
    fn from(args: PublishArgs) -> Self {
        GivenPublish {
            source: args.image,
            image: args.source.into(),
            to: args.to.into(),
            extra_vars: args.extra_vars,
            var_files: args.var_files,
            inventories: args.inventories,
            limit: args.limit,
            check: args.check,
            roll_back: args.rollback,
        }
    }
}
