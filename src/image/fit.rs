//! Whether what was read is what was asked for: the source as it is packed or, where that does not fit, the
//! image in it. Some publishers give only the checksum of the latter.

use super::digest::{Digest, Digests};
use crate::{
    error::{Error, Result},
    event::{Event, Report},
};

/// Compares the digests of the packed source with `wanted`, and where they differ those of the image,
/// which `image` computes. Returns what it learned of the image.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) when neither fits.
pub fn check(
    source: &str,
    wanted: Option<&Digest>,
    packed: &Digests,
    image: impl FnOnce() -> Result<Digests>,
    report: &dyn Report,
) -> Result<Digests> {
    let Err(wrong) = verify(source, wanted, packed) else {
        return Ok(Digests::new());
    };
    let image = image()?;
    if verify(source, wanted, &image).is_err() {
        return Err(wrong);
    }
    report.tell(Event::ImagesChecksum(source.to_owned()));
    Ok(image)
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
    use crate::{error::Kind, event::Silent, image::digest::Algorithm};

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
            let wanted = digest(wanted);
            let packed = digests("a").unwrap();
            check("x.gz", Some(&wanted), &packed, || digests("b"), &Silent)
        };
        assert_eq!(check("a").unwrap(), Digests::new());
        assert_eq!(check("b").unwrap(), digests("b").unwrap());
        let wrong = check("c").unwrap_err().to_string();
        assert!(wrong.contains(&"a".repeat(32)), "{wrong}");
    }
}
