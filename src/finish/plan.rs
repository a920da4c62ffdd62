//! What becomes of a work image, as it is decided before a run.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;

use super::{
    imager::Entry,
    output::{self, Format, Output},
};
use crate::error::{Error, Result};

/// A file that is made beside the outputs, spelt alike on the command line and in pichroot.yml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beside {
    /// A line for each output in SHA256SUMS
    Sha256sums,
    /// A block map of the image, for bmaptool and `pichroot flash`
    Bmap,
    /// A list for Raspberry Pi Imager with this image
    Imager,
    /// What the image was made of, as JSON
    Manifest,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Finish {
    /// The outputs.
    pub outputs: Vec<Output>,
    /// How many bytes stay free in an image that is made small; `None` if it is not.
    pub shrink: Option<u64>,
    /// What is made beside the outputs.
    pub beside: Vec<Beside>,
    /// What the list for Imager says.
    pub entry: Entry,
    /// The latest time in archives, and that of documents, in seconds since 1970.
    pub epoch: Option<u64>,
}

impl Finish {
    /// What the plain image is called: as the output that is one, else after the first output.
    pub fn image(&self) -> PathBuf {
        let plain = self
            .outputs
            .iter()
            .find(|output| output.format == Format::Image(None));
        let one = plain.or(self.outputs.first());
        one.map_or_else(PathBuf::new, Output::image)
    }

    /// Whether `what` is made.
    pub fn has(&self, what: Beside) -> bool {
        self.beside.contains(&what)
    }

    /// Whether checksums of the outputs are wanted.
    pub fn sums(&self) -> bool {
        [Beside::Sha256sums, Beside::Imager, Beside::Manifest]
            .iter()
            .any(|one| self.has(*one))
    }

    /// The output that a card is written from.
    pub fn for_cards(&self) -> Option<&Output> {
        self.outputs
            .iter()
            .find(|output| matches!(output.format, Format::Image(_)))
    }

    /// Where a document is made; the lines of SHA256SUMS are in a file for all.
    pub fn document(&self, what: Beside) -> Option<PathBuf> {
        let image = self.image();
        let ending = match what {
            Beside::Sha256sums => return None,
            Beside::Bmap => {
                let mut name = image.file_name().unwrap_or_default().to_owned();
                name.push(".bmap");
                return Some(image.with_file_name(name));
            }
            Beside::Imager => "imager.json",
            Beside::Manifest => "manifest.json",
        };
        Some(image.with_extension(ending))
    }

    /// Refuses what cannot be made or must not be replaced, before any work is done; `source` is the image's file, if it is one.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), with the path.
    pub fn check(&self, force: bool, source: Option<&Path>) -> Result<()> {
        output::check(&self.outputs, force, source)?;
        let of_images = [
            (Beside::Bmap, "a block map"),
            (Beside::Imager, "a list for Imager"),
        ];
        for (what, name) in of_images {
            if self.has(what) && self.for_cards().is_none() {
                return Err(
                    Error::usage(format!("{name} is of an image, and no output is one"))
                        .hint("add an output that ends in .img, .img.xz, .img.zst or .img.gz"),
                );
            }
        }
        if self.shrink.is_some() && self.outputs.iter().all(Output::is_tree) {
            return Err(
                Error::usage("no output is an image that could be made small")
                    .hint("leave out --shrink, or add an output that is an image"),
            );
        }
        for what in &self.beside {
            let Some(path) = self.document(*what) else {
                continue;
            };
            if path
                .symlink_metadata()
                .is_ok_and(|meta| !force || !meta.is_file())
            {
                let shown = path.display();
                return Err(Error::usage(format!("{shown} exists"))
                    .hint("use --force to replace it, or name another output by -o"));
            }
        }
        Ok(())
    }
}
