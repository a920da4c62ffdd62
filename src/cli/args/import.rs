//! `pichroot import`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  Write pichroot.yml and pi.yml here, and say what to run:
    pichroot import pi.pkr.hcl

  Into a folder, with a value for a variable that something is computed of:
    pichroot import ../packer/pi.pkr.hcl --var version=24.04 --output new/

  With the values that a file has, as packer build gets it:
    pichroot import pi.pkr.hcl --var-file mypi.pkrvars.hcl

  An older template, in JSON; in place of files that an earlier import has written:
    pichroot import --force board.json

What is not translated is named with its line. Nothing is built, and nothing is fetched.";

/// Options of `pichroot import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// The Packer template: NAME.pkr.hcl, a folder with one, or NAME.json
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,

    /// The value of a variable; repeatable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,

    /// A file of variables, as packer build -var-file has it; repeatable
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,

    /// The folder to write to; made where it is missing [default: the working directory]
    #[arg(short, long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}
