//! A source: where an image is, and what it must be.

use std::path::Path;

use super::{
    cache::Cache,
    checksum::Checksum,
    expected::{Expected, Listed},
    http::Client,
    kept,
    location::Location,
    signature::Signature,
};
use crate::{
    error::Result,
    event::{Event, Report},
};

/// An image to fetch, and how to know that it is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub location: Location,
    /// What the user says of its checksum.
    pub checksum: Checksum,
    /// Who must have signed the checksum file, or where there is none the source itself.
    pub signature: Option<Signature>,
    /// What a catalogue says of it.
    pub listed: Option<Listed>,
}

impl Source {
    /// The source at `location`, of which nothing else is known.
    pub fn new(location: Location, checksum: Checksum) -> Self {
        Source {
            location,
            checksum,
            signature: None,
            listed: None,
        }
    }

    /// The kept image of `output`, which nobody has to say the checksum of.
    pub fn kept(output: &Path) -> Self {
        Source::new(Location::Path(kept::name(output)), Checksum::None)
    }

    /// Reads both as the user writes them; no `checksum` is [`Checksum::Unspecified`].
    ///
    /// # Errors
    /// Usage errors for a malformed URL or checksum, with the accepted forms as the hint.
    pub fn parse(location: &str, checksum: Option<&str>) -> Result<Self> {
        let location = Location::parse(location)?;
        Ok(Source::new(location, Checksum::of(checksum)?))
    }

    /// What it must be: reads a checksum file, and gets the signature.
    pub(super) fn expected(
        &self,
        client: &Client,
        cache: Option<&Cache>,
        report: &dyn Report,
    ) -> Result<Expected> {
        let sums = matches!(self.checksum, Checksum::File(_));
        let signature = self.signature.as_ref();
        let of_sums = signature.filter(|_| sums);
        let of_source = signature.filter(|_| !sums);
        Ok(Expected {
            given: self
                .checksum
                .resolve(&self.location, of_sums, client, cache, report)?,
            listed: self.listed.clone(),
            proof: of_source
                .map(|signature| signature.of_source(&self.location, client, cache, report))
                .transpose()?,
        })
    }

    /// Says that nothing of it is checked.
    pub(super) fn tell_unchecked(&self, report: &dyn Report) {
        report.tell(Event::Unchecked {
            source: self.location.to_string(),
            meant: self.checksum == Checksum::None,
        });
    }
}
