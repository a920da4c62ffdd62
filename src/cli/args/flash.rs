//! `pichroot flash`.

use std::path::PathBuf;

use clap::Args;

use crate::config::GivenFlash;

const EXAMPLES: &str = "\
Examples:
  Write an image to a card, after a question; only what matters of it, by the block map beside it:
    sudo pichroot flash mypi.img.xz /dev/sdb

  Any image, packed or not, without a question:
    sudo pichroot flash --yes ubuntu.img.xz /dev/mmcblk0

  To a disk that is built in:
    sudo pichroot flash --force mypi.img /dev/nvme0n1";

/// Options of `pichroot flash`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FlashArgs {
    /// The image: a path; packed or not
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,

    /// The disk that it is written to, such as /dev/sdb
    #[arg(value_name = "DEVICE")]
    pub device: PathBuf,

    /// The image's block map [default: the one beside it, with the ending .bmap; else a plain image is looked at itself]
    #[arg(long, value_name = "FILE")]
    pub bmap: Option<PathBuf>,

    /// Write to a disk that is mounted, in use or built in
    #[arg(long)]
    pub force: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

impl From<FlashArgs> for GivenFlash {
    fn from(args: FlashArgs) -> Self {
        GivenFlash {
            image: args.image,
            device: args.device,
            bmap: args.bmap,
            force: args.force,
            yes: args.yes,
        }
    }
}
