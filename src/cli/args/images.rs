//! `pichroot images`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  Every image that the lists have:
    pichroot images

  Those that have all of these words in name, description, devices, date or address:
    pichroot images lite pi5-64bit

  Also from another list; as one JSON document on standard output:
    pichroot images --catalogue https://example.org/os_list.json --json

A name that is listed, or words that only one image has, may be given as --image.";

/// Options of `pichroot images`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImagesArgs {
    /// Words that an image must have, each at the beginning of a word [default: all images]
    #[arg(value_name = "WORDS")]
    pub words: Vec<String>,

    /// A list of images in Raspberry Pi Imager's form: a URL or path; repeatable; besides those of the configuration
    /// file, and Raspberry Pi's own
    #[arg(long = "catalogue", value_name = "LIST")]
    pub catalogues: Vec<String>,

    /// The configuration file [default: ./pichroot.yml where it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print one JSON document instead of a table
    #[arg(long)]
    pub json: bool,

    /// Say more, such as which lists are read
    #[arg(short)]
    pub verbose: bool,
}
