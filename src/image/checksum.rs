//! What the user says about a source's checksum, and finding the digest that it means.

use std::str::FromStr;

use super::{
    cache::Cache,
    digest::{Algorithm, Digest},
    http::Client,
    location::Location,
    signature::Signature,
    wanted::{FORMS, Lookup},
};
use crate::{
    error::{Error, Result},
    event::Report,
};

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
    /// What the user writes; nothing is [`Checksum::Unspecified`].
    ///
    /// # Errors
    /// A usage error for what is no checksum.
    pub fn of(text: Option<&str>) -> Result<Self> {
        text.map_or(Ok(Checksum::Unspecified), str::parse)
    }

    /// The digest that `source` must have; reads or downloads a checksum file.
    pub(super) fn resolve(
        &self,
        source: &Location,
        signature: Option<&Signature>,
        client: &Client,
        cache: Option<&Cache>,
        report: &dyn Report,
    ) -> Result<Option<Digest>> {
        match self {
            Checksum::Digest(digest) => Ok(Some(digest.clone())),
            Checksum::File(file) => {
                let lookup = Lookup {
                    file,
                    source,
                    signature,
                    client,
                    cache,
                    report,
                };
                lookup.digest().map(Some)
            }
            Checksum::None | Checksum::Unspecified => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

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
}
