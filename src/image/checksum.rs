//! What the user says about a source's checksum, and finding the digest that it means.

use std::{fs::File, io::Read, str::FromStr};

use super::{
    digest::{Algorithm, Digest, Digests},
    http::Client,
    location::Location,
    sums,
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    nearest,
};

/// The forms of a checksum, for hints.
const FORMS: &str = "write sha256:HEX, sha512:HEX, sha1:HEX, md5:HEX, file:PATH or file:URL of a SHA256SUMS, or none";

/// The largest checksum file that is read, in bytes. Debian's largest, of a whole archive, is less.
pub(super) const SUMS_LIMIT: u64 = 16 << 20;

/// How a source's content is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// Its digest is this one.
    Digest(Digest),
    /// Its digest stands in this file, in the line with the source's name.
    File(Location),
    /// Nothing is checked, because the user said so.
    None,
    /// Nothing is checked, because nothing was said.
    Unspecified,
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Err(Error::usage(why).hint(FORMS));
        if text == "none" {
            return Ok(Checksum::None);
        }
        let Some((kind, value)) = text.split_once(':') else {
            let bare = Digest::by_length(text);
            return match bare {
                Some(digest) => Err(Error::usage(format!("checksum {text} names no algorithm"))
                    .hint(format!("write {digest}"))),
                None => bad(format!("{text:?} is not a checksum")),
            };
        };
        if kind == "file" {
            return Location::parse(value)
                .map(Checksum::File)
                .map_err(|_| Error::usage(format!("{text:?} names no checksum file")).hint(FORMS));
        }
        let Some(algorithm) = Algorithm::by_name(kind) else {
            return bad(format!("unknown checksum algorithm {kind:?}"));
        };
        match Digest::new(algorithm, value.trim()) {
            Some(digest) => Ok(Checksum::Digest(digest)),
            None => bad(format!(
                "a {kind} checksum has {} hexadecimal digits, not {value:?}",
                algorithm.hex_len()
            )),
        }
    }
}

impl Checksum {
    /// The digest that `source` must have; reads or downloads a checksum file, and warns where
    /// nothing will be checked.
    pub(super) fn resolve(
        &self,
        source: &Location,
        client: &Client,
        report: &dyn Report,
    ) -> Result<Option<Digest>> {
        match self {
            Checksum::Digest(digest) => Ok(Some(digest.clone())),
            Checksum::File(file) => {
                let text = match file {
                    Location::Path(path) => {
                        let mut text = Vec::new();
                        File::open(path)
                            .and_then(|f| f.take(SUMS_LIMIT).read_to_end(&mut text))
                            .context(Kind::Usage, || format!("cannot read checksum file {file}"))
                            .map_err(|error| error.hint(nearest::hint(path, FORMS)))?;
                        String::from_utf8_lossy(&text).into_owned()
                    }
                    Location::Url(url) => client.text(url, SUMS_LIMIT, report)?,
                };
                let digest = sums::find(&text, &source.file_name()).map_err(|why| {
                    Error::image(format!("checksum file {file} {why}"))
                        .hint("check that it belongs to this image, or give sha256:HEX")
                })?;
                Ok(Some(digest))
            }
            Checksum::None => {
                let source = source.to_string();
                report.tell(Event::Unchecked {
                    source,
                    meant: true,
                });
                Ok(None)
            }
            Checksum::Unspecified => {
                let source = source.to_string();
                report.tell(Event::Unchecked {
                    source,
                    meant: false,
                });
                Ok(None)
            }
        }
    }
}

/// Compares what was read with what was asked for.
///
/// # Errors
/// [`Kind::Image`] when they differ.
pub(super) fn verify(source: &str, wanted: Option<&Digest>, got: &Digests) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    match got.get(&wanted.algorithm) {
        Some(hex) if *hex == wanted.hex => Ok(()),
        other => Err(Error::image(format!(
            "{source} has the wrong checksum: expected {wanted}, got {}:{}",
            wanted.algorithm.name(),
            other.map_or("nothing", String::as_str)
        ))
        .hint("get the image again, or correct the checksum if the publisher replaced the image")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let sha = format!("sha256:{}", "Ab".repeat(32));
        let Ok(Checksum::Digest(digest)) = sha.parse() else {
            panic!()
        };
        assert_eq!(digest.hex, "ab".repeat(32));
        assert_eq!("none".parse::<Checksum>().unwrap(), Checksum::None);
        let file = "file:https://h.example/SHA256SUMS".parse::<Checksum>();
        assert!(matches!(file, Ok(Checksum::File(Location::Url(_)))));
        let file = "file:dir/SHA256SUMS".parse::<Checksum>();
        assert!(matches!(file, Ok(Checksum::File(Location::Path(_)))));
    }

    #[test]
    fn bad_text_is_a_usage_error_that_tells_the_forms() {
        for bad in ["", "sha256", "sha256:12", "crc32:12345678", "file:", "NONE"] {
            let error = bad.parse::<Checksum>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{bad}");
            assert!(error.hint_text().unwrap().contains("sha256:HEX"), "{bad}");
        }
        let bare = "a".repeat(64).parse::<Checksum>().unwrap_err();
        assert!(bare.hint_text().unwrap().starts_with("write sha256:aaa"));
    }

    #[test]
    fn a_wrong_digest_is_the_images_fault() {
        let wanted = Digest::new(Algorithm::Md5, &"0".repeat(32)).unwrap();
        let mut got = Digests::from([(Algorithm::Md5, wanted.hex.clone())]);
        assert!(verify("x", Some(&wanted), &got).is_ok());
        got.insert(Algorithm::Md5, "1".repeat(32));
        let error = verify("x", Some(&wanted), &got).unwrap_err();
        assert_eq!(error.kind(), Kind::Image);
        assert!(verify("x", None, &got).is_ok());
    }
}
