//! Signatures (OpenPGP): of a checksum file, or of a source itself, by keys that the user names.
//!
//! What is not signed is not used: a checksum file is the very bytes that gpgv was given, and of a clear-signed one only
//! what it says was signed.

mod armor;
mod gpgv;
mod keys;

use std::{fs::File, path::PathBuf};

use keys::Keys;
use sha2::Digest as _;

use super::{
    cache::Cache,
    digest::{Algorithm, Digest, Digests},
    http::Client,
    location::Location,
    record::PlaceRecord,
    small_file,
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    hex::hex,
    sys::memory,
};

/// The largest signature that is read, in bytes; one has some hundred.
const SIGNATURE: u64 = 1 << 20;

/// What publishers put behind the name of what they have signed: Ubuntu, Debian, and others.
const OF_SUMS: [&str; 4] = [".gpg", ".sign", ".asc", ".sig"];

/// The same for an image: Raspberry Pi, Armbian, and others.
const OF_IMAGES: [&str; 4] = [".sig", ".asc", ".gpg", ".sign"];

/// Who must have signed, and where the signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The file with the keys that are trusted.
    pub keyring: PathBuf,
    /// The signature; `None` is beside what is signed, or in it.
    pub file: Option<Location>,
}

impl Signature {
    /// The part of the checksum file `sums` that is signed; `bytes` is all of it.
    ///
    /// # Errors
    /// [`Kind::Image`] where the signature is missing or no good; [`Kind::Usage`] where the keyring is;
    /// [`Kind::Host`] where the network fails, or there is no gpgv.
    pub fn of_sums(
        &self,
        sums: &Location,
        bytes: Vec<u8>,
        client: &Client,
        report: &dyn Report,
    ) -> Result<Vec<u8>> {
        let keys = Keys::read(&self.keyring)?;
        let name = format!("checksum file {sums}");
        if let (None, Some(message)) = (&self.file, armor::clear_signed(&bytes)) {
            let (signed, by) = gpgv::clear(&keys, message, &name)?;
            report.tell(Event::Signed { what: name, by });
            return Ok(signed);
        }
        let signature = self.get(sums, &OF_SUMS, client, report)?;
        let data = memory::sealed("signed", &bytes)
            .context(Kind::Host, || format!("cannot keep {sums} in memory"))?;
        let by = gpgv::detached(&keys, &signature, &data, &name)?;
        report.tell(Event::Signed { what: name, by });
        Ok(bytes)
    }

    /// The signature of the source at `image`, to be verified when that is here. Without a network it is known only
    /// what it was good for before.
    ///
    /// # Errors
    /// As [`of_sums`](Self::of_sums).
    pub fn of_source(
        &self,
        image: &Location,
        client: &Client,
        cache: Option<&Cache>,
        report: &dyn Report,
    ) -> Result<Proof> {
        let keys = Keys::read(&self.keyring)?;
        let place = self.place(image, &keys);
        let seen = cache.and_then(|cache| cache.place(&place));
        let hurried = client.hurried();
        let client = if seen.is_some() { &hurried } else { client };
        let (signature, known) = match self.get(image, &OF_IMAGES, client, report) {
            Ok(signature) => {
                let stamp = hex(&sha2::Sha256::digest(&signature));
                (Some(signature), seen.filter(|seen| seen.stamp == stamp))
            }
            Err(error) if error.kind() == Kind::Host && seen.is_some() => {
                report.tell(Event::OldSignature((&error).into()));
                (None, seen)
            }
            Err(error) => return Err(error),
        };
        let known = known.and_then(|seen| {
            let (algorithm, hex) = seen.digests.into_iter().next()?;
            Digest::new(algorithm, &hex)
        });
        Ok(Proof {
            keys,
            signature,
            place,
            known,
        })
    }

    /// What the cache knows the signature of `signed` by.
    fn place(&self, signed: &Location, keys: &Keys) -> String {
        let file = self.file.as_ref().map(Location::whole);
        let file = file.as_deref().unwrap_or("beside it");
        format!("signature {file} of {} by {}", signed.whole(), keys.digest)
    }

    /// What tells signatures by these keys from others, for what is noted of a checksum file.
    ///
    /// # Errors
    /// As [`of_sums`](Self::of_sums).
    pub fn place_of_sums(&self, sums: &Location) -> Result<String> {
        Ok(self.place(sums, &Keys::read(&self.keyring)?))
    }

    /// The signature of `signed`: where the user says, or beside it under one of the usual names.
    fn get(
        &self,
        signed: &Location,
        endings: &[&str],
        client: &Client,
        report: &dyn Report,
    ) -> Result<Vec<u8>> {
        let beside = || endings.iter().map(|ending| signed.beside(ending)).collect();
        let places: Vec<Location> = self.file.clone().map_or_else(beside, |file| vec![file]);
        let mut looked = Vec::new();
        for place in &places {
            let read = match place {
                Location::Url(url) => client.bytes(url, SIGNATURE, report),
                Location::Path(path) => small_file::read(path, SIGNATURE)
                    .context(Kind::Usage, || format!("cannot read {}", path.display())),
            };
            match read {
                Err(error) if error.kind() == Kind::Usage => looked.push(error.to_string()),
                other => return other,
            }
        }
        Err(Error::image(format!("there is no signature of {signed}: {}", looked.join("; "))).hint(
            "name the signature by --signature, or as image.signature.file in pichroot.yml; if the publisher gives \
             none, leave out the keyring",
        ))
    }
}

/// The signature of a source, to be verified when all of that is here.
pub struct Proof {
    keys: Keys,
    signature: Option<Vec<u8>>,
    place: String,
    known: Option<Digest>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proof({}, known {:?})", self.place, self.known)
    }
}

impl Proof {
    /// Whether the signature was good before for what has these digests.
    pub fn is_of(&self, digests: &Digests) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|known| digests.get(&known.algorithm) == Some(&known.hex))
    }

    /// Verifies the source that is open as `file`, which nobody else writes to; `name` is for messages.
    ///
    /// # Errors
    /// [`Kind::Image`] where the signature is not of this, or by other keys.
    pub fn verify(&self, file: &File, name: &str, report: &dyn Report) -> Result<()> {
        let Some(signature) = &self.signature else {
            return Err(
                Error::host(format!("the signature of {name} cannot be had"))
                    .hint("check the network"),
            );
        };
        let by = gpgv::detached(&self.keys, signature, file, name)?;
        report.tell(Event::Signed {
            what: name.to_owned(),
            by,
        });
        Ok(())
    }

    /// Notes the `digests` of what was verified. Only a short cut for later runs.
    pub fn note(&self, cache: &Cache, digests: &Digests) {
        let (Some(signature), Some(digest)) = (&self.signature, digests.get(&Algorithm::Sha256))
        else {
            return;
        };
        let seen = PlaceRecord {
            stamp: hex(&sha2::Sha256::digest(signature)),
            digests: Digests::from([(Algorithm::Sha256, digest.clone())]),
            ..PlaceRecord::default()
        };
        cache.set_place(&self.place, &seen);
    }
}
