//! What the user names as the image: where it is, and its checksum.

use std::path::Path;

use super::{checksum::Checksum, kept, location::Location};
use crate::error::Result;

/// An image to fetch, and how to know that it is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub location: Location,
    /// What it must be.
    pub checksum: Checksum,
}

impl Source {
    /// The kept image of `output`, which nobody has to say the checksum of.
    pub fn kept(output: &Path) -> Self {
        Source {
            location: Location::Path(kept::name(output)),
            checksum: Checksum::None,
        }
    }

    /// Reads both as the user writes them; no `checksum` is [`Checksum::Unspecified`].
    ///
    /// # Errors
    /// Usage errors for a malformed URL or checksum, with the accepted forms as the hint.
    pub fn parse(location: &str, checksum: Option<&str>) -> Result<Self> {
        Ok(Source {
            location: Location::parse(location)?,
            checksum: checksum.map_or(Ok(Checksum::Unspecified), str::parse)?,
        })
    }
}
