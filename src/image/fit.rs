//! Whether what was read is what was asked for: the source as it is packed, or the image in it. Some publishers give
//! only the checksum of the latter, and catalogues always do.

use super::{
    digest::{Digest, Digests},
    expected::Expected,
};
use crate::{
    error::{Error, Result},
    event::{Event, Report},
};

/// Compares the digests of the packed source with what is `expected`, and where that does not tell all of it those of
/// the image, which `image` computes. Returns what it learned of the image.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) when something does not fit.
pub fn check(
    source: &str,
    expected: &Expected,
    packed: &Digests,
    image: impl FnOnce() -> Result<Digests>,
    report: &dyn Report,
) -> Result<Digests> {
    let (given, listed) = (expected.given.as_ref(), expected.listed.as_ref());
    let wrong = verify(source, given, packed).err();
    if wrong.is_none() && listed.is_none() {
        return Ok(Digests::new());
    }
    check_listed(source, expected, packed)?;
    let image = image()?;
    if let Some(listed) = listed {
        verify(&format!("the image in {source}"), Some(&listed.image), &image).map_err(|error| {
            error.better_hint(
                "the catalogue lists another image: get it again later, or name another one; do not use this one \
                 unless you know why it differs",
            )
        })?;
    }
    if let Some(wrong) = wrong {
        if verify(source, given, &image).is_err() {
            return Err(wrong);
        }
        report.tell(Event::ImagesChecksum(source.to_owned()));
    }
    Ok(image)
}

/// Compares the digests of the packed source alone, where the image in it could not be had.
///
/// # Errors
/// As [`check`].
pub fn check_packed(source: &str, expected: &Expected, packed: &Digests) -> Result<()> {
    verify(source, expected.given.as_ref(), packed)?;
    check_listed(source, expected, packed)
}

/// Whether the packed source is the one that a catalogue lists, where it says so.
fn check_listed(source: &str, expected: &Expected, packed: &Digests) -> Result<()> {
    let Some(listed) = &expected.listed else {
        return Ok(());
    };
    verify(source, listed.packed.as_ref(), packed).map_err(|error| {
        error.better_hint(format!(
            "the catalogue lists another file (image_download_sha256); if the publisher has only packed the same image \
             again, name its address with --checksum {}",
            listed.image
        ))
    })
}

/// Compares what was read with what was asked for.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) when they differ.
pub fn verify(source: &str, wanted: Option<&Digest>, got: &Digests) -> Result<()> {
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
    use crate::{
        error::Kind,
        event::Silent,
        image::{digest::Algorithm, expected::Listed},
    };

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

    #[test]
    fn the_images_digest_counts_only_where_the_sources_does_not_fit() {
        let digest = |c: &str| Digest::new(Algorithm::Md5, &c.repeat(32)).unwrap();
        let digests = |c: &str| Ok(Digests::from([(Algorithm::Md5, digest(c).hex)]));
        let check = |wanted: &str| {
            let expected = Expected {
                given: Some(digest(wanted)),
                ..Expected::default()
            };
            let packed = digests("a").unwrap();
            check("x.gz", &expected, &packed, || digests("b"), &Silent)
        };
        assert_eq!(check("a").unwrap(), Digests::new());
        assert_eq!(check("b").unwrap(), digests("b").unwrap());
        let wrong = check("c").unwrap_err().to_string();
        assert!(wrong.contains(&"a".repeat(32)), "{wrong}");
    }

    #[test]
    fn what_a_catalogue_lists_is_checked_beside_what_is_given() {
        let digest = |c: &str| Digest::new(Algorithm::Sha256, &c.repeat(64)).unwrap();
        let digests = |c: &str| Digests::from([(Algorithm::Sha256, digest(c).hex)]);
        let check = |given: Option<&str>, packed: Option<&str>, image: &str| {
            let expected = Expected {
                given: given.map(digest),
                listed: Some(Listed {
                    image: digest(image),
                    packed: packed.map(digest),
                    size: None,
                    devices: Vec::new(),
                }),
                proof: None,
            };
            let image = || Ok(digests("b"));
            check("x.gz", &expected, &digests("a"), image, &Silent).map_err(|e| e.to_string())
        };
        for given in [None, Some("a"), Some("b")] {
            for packed in [None, Some("a")] {
                assert_eq!(check(given, packed, "b"), Ok(digests("b")));
            }
        }
        let wrong = |result: Result<Digests, String>| result.unwrap_err();
        assert!(wrong(check(None, None, "c")).starts_with("the image in x.gz has the wrong"));
        assert!(wrong(check(None, Some("c"), "b")).starts_with("x.gz has the wrong"));
        assert!(wrong(check(Some("c"), None, "b")).starts_with("x.gz has the wrong"));
    }
}
