//! The digest that a checksum file gives for a source: as it stands there now, or without a network as it was
//! last seen there.

use std::path::Path;

use super::{
    cache::Cache,
    digest::{Digest, Digests},
    http::Client,
    location::Location,
    record::PlaceRecord,
    signature::Signature,
    small_file, sums,
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    nearest,
};

/// The forms of a checksum, for hints.
pub const FORMS: &str = "write sha256:HEX, sha512:HEX, sha1:HEX, md5:HEX, file:PATH or file:URL of a SHA256SUMS, or none";

/// The largest checksum file that is read, in bytes. Debian's largest, of a whole archive, is less.
pub const SUMS_LIMIT: u64 = 16 << 20;

/// What is asked for when a checksum file is read.
pub struct Lookup<'a> {
    /// The checksum file.
    pub file: &'a Location,
    /// The image.
    pub source: &'a Location,
    /// Who must have signed the checksum file.
    pub signature: Option<&'a Signature>,
    /// Makes the requests.
    pub client: &'a Client,
    /// Where it is noted what was seen; nowhere for an image that is changed in place.
    pub cache: Option<&'a Cache>,
    /// Who is told.
    pub report: &'a dyn Report,
}

impl Lookup<'_> {
    /// The digest.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the file is not there, [`Kind::Image`] when it does not tell or is not signed as it has to
    /// be, [`Kind::Host`] when the network fails and nothing was seen before that helps.
    pub fn digest(&self) -> Result<Digest> {
        let url = match self.file {
            Location::Path(path) => return self.find(self.read(path)?, self.client),
            Location::Url(url) => url,
        };
        let place = self.place()?;
        let known = self.known(&place)?;
        // With something to fall back on, nobody is kept waiting for long.
        let hurried = self.client.hurried();
        let client = match known {
            Some(_) => &hurried,
            None => self.client,
        };
        let found = client
            .bytes(url, SUMS_LIMIT, self.report)
            .and_then(|bytes| self.find(bytes, client));
        match (found, known) {
            (Ok(digest), _) => {
                self.note(&place, &digest);
                Ok(digest)
            }
            (Err(error), Some(known)) if error.kind() == Kind::Host => {
                self.report.tell(Event::OldChecksum {
                    file: self.file.to_string(),
                    failure: (&error).into(),
                });
                Ok(known)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        small_file::read(path, SUMS_LIMIT)
            .context(Kind::Usage, || {
                format!("cannot read checksum file {}", self.file)
            })
            .map_err(|error| error.hint(nearest::hint(path, FORMS)))
    }

    /// The digest in the text of the file, as far as it is signed, under whichever name the image has.
    fn find(&self, bytes: Vec<u8>, client: &Client) -> Result<Digest> {
        let signed = match self.signature {
            Some(signature) => signature.of_sums(self.file, bytes, client, self.report)?,
            None => bytes,
        };
        let text = sums::text(&signed);
        let mut names = vec![self.source.file_name()];
        if let Location::Path(path) = self.source
            && let Ok(target) = path.canonicalize()
        {
            names.push(Location::Path(target).file_name());
        }
        let mut found = sums::find(&text, &names);
        // An address such as .../latest leads to a file whose own name is listed.
        if let (Err(sums::Unfound::NoLine(_)), Location::Url(url)) = (&found, self.source)
            && let Ok(target) = self.client.target(url, self.report)
            && !names.contains(&target.file_name())
        {
            names.push(target.file_name());
            found = sums::find(&text, &names);
        }
        found.map_err(|why| {
            Error::image(format!("checksum file {} {why}", self.file))
                .hint("check that it belongs to this image, or give sha256:HEX")
        })
    }

    /// What was last seen, if that is of use without a network: for an image that is here.
    fn known(&self, place: &str) -> Result<Option<Digest>> {
        let Some(cache) = self.cache else {
            return Ok(None);
        };
        let seen = cache.place(place).map(|seen| seen.digests);
        let seen = seen.and_then(|digests| digests.into_iter().next());
        let Some(digest) = seen.and_then(|(algorithm, hex)| Digest::new(algorithm, &hex)) else {
            return Ok(None);
        };
        let here = matches!(self.source, Location::Path(_)) || cache.base_with(&digest)?.is_some();
        Ok(here.then_some(digest))
    }

    fn note(&self, place: &str, digest: &Digest) {
        if let Some(cache) = self.cache {
            let seen = PlaceRecord {
                digests: Digests::from([(digest.algorithm, digest.hex.clone())]),
                ..PlaceRecord::default()
            };
            cache.set_place(place, &seen);
        }
    }

    /// What the cache knows it by. What was seen without a signature, or by other keys, is not what was seen with it.
    fn place(&self) -> Result<String> {
        let place = format!("sums {} for {}", self.file.whole(), self.source.whole());
        match self.signature {
            Some(signature) => Ok(format!("{place}, {}", signature.place_of_sums(self.file)?)),
            None => Ok(place),
        }
    }
}
