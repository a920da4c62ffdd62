//! What a source must be: what the user says of it, what a catalogue says, and who has signed it.

use super::{
    digest::{Digest, Digests},
    record::BaseRecord,
    signature::Proof,
};

/// What must be so.
#[derive(Debug, Default)]
pub struct Expected {
    /// The digest that the user gives, or a checksum file: of the source as it is packed, or else of the image in it.
    pub given: Option<Digest>,
    /// What a catalogue says.
    pub listed: Option<Listed>,
    /// The signature of the source as it is packed.
    pub proof: Option<Proof>,
}

/// What a catalogue says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The digest of the image itself.
    pub image: Digest,
    /// The digest of the source as it is packed.
    pub packed: Option<Digest>,
    /// The size of the image itself, in bytes.
    pub size: Option<u64>,
    /// The boards that it is for, as the publisher calls them.
    pub devices: Vec<String>,
}

impl Expected {
    /// Whether there is something to check.
    pub fn is_something(&self) -> bool {
        self.given.is_some() || self.listed.is_some() || self.proof.is_some()
    }

    /// Whether something is said of what the source itself or the image in it is to be, rather than who signed it.
    pub fn digest(&self) -> Option<&Digest> {
        let listed = self.listed.as_ref().map(|listed| &listed.image);
        self.given.as_ref().or(listed)
    }

    /// Whether a base image is known to be all of it, by what was noted of it.
    pub fn is(&self, base: &BaseRecord) -> bool {
        let has = |digests: &Digests, digest: &Digest| {
            digests.get(&digest.algorithm) == Some(&digest.hex)
        };
        let image = |digest: &Digest| has(&base.image_digests, digest);
        let either = |digest: &Digest| has(&base.digests, digest) || image(digest);
        self.given.as_ref().is_none_or(either)
            && self
                .listed
                .as_ref()
                .is_none_or(|listed| image(&listed.image))
            && self
                .proof
                .as_ref()
                .is_none_or(|proof| proof.is_of(&base.digests))
    }
}
