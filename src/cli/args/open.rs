//! The options of every subcommand that opens an image.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Emulation, FirstBoot, GivenImage, Live, Network, Shortcut};

/// What is said of the image itself.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Checksum of the image: sha256:HEX, sha512:, sha1:, md5:, file:URL-OR-PATH, or none
    /// [default: image.checksum of the configuration file, for the image that it names]
    #[arg(long, value_name = "SUM")]
    pub checksum: Option<String>,

    /// The publisher's keys, in binary or as text: the checksum file, or where none is given the image, must be signed
    /// by one of them
    /// [default: image.signature of the configuration file, for the image that it names]
    #[arg(long, value_name = "FILE")]
    pub keyring: Option<PathBuf>,

    /// The signature: a URL or path [default: beside what is signed, with .gpg, .sign, .asc or .sig behind its name]
    #[arg(long, value_name = "SOURCE")]
    pub signature: Option<String>,

    /// A list of images in Raspberry Pi Imager's form, to look names up in: a URL or path; repeatable
    #[arg(long = "catalogue", value_name = "LIST")]
    pub catalogues: Vec<String>,

    /// The configuration file [default: ./pichroot.yml where it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How an image is opened.
#[derive(Debug, Args)]
pub struct OpenArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,

    /// How programs of the image are run [default: auto]
    #[arg(long, value_name = "HOW")]
    pub emulation: Option<Emulation>,

    /// The network that programs of the image see [default: host]
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<Network>,

    /// What becomes of what only a running machine can do [default: first-boot]
    #[arg(long, value_name = "WHAT")]
    pub live: Option<Live>,

    /// Whether the image may get a unit for its first boot [default: on]
    #[arg(long, value_name = "WHETHER")]
    pub first_boot: Option<FirstBoot>,

    /// A shortcut not to take; repeatable
    #[arg(long = "no-shortcut", value_name = "NAME")]
    pub no_shortcuts: Vec<Shortcut>,
}

impl From<SourceArgs> for GivenImage {
    fn from(args: SourceArgs) -> Self {
        GivenImage {
            config: args.config,
            checksum: args.checksum,
            keyring: args.keyring,
            signature: args.signature,
            catalogues: args.catalogues,
            ..GivenImage::default()
        }
    }
}

impl From<OpenArgs> for GivenImage {
    fn from(args: OpenArgs) -> Self {
        GivenImage {
            emulation: args.emulation,
            network: args.network,
            live: args.live,
            first_boot: args.first_boot,
            no_shortcuts: args.no_shortcuts,
            ..args.source.into()
        }
    }
}
