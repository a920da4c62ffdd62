//! Base images that are in the cache already.

use super::{
    cache::{BaseImage, Cache, Of},
    digest::Digests,
    expected::Expected,
    fit, pass,
};
use crate::{error::Result, event::Report};

/// The base image of the source with the digests `packed`, if the cache has it and it is what is expected.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) when it is something else.
pub fn base(
    cache: &Cache,
    source: &str,
    expected: &Expected,
    packed: &Digests,
    report: &dyn Report,
) -> Result<Option<BaseImage>> {
    let Some(base) = cache.base(packed)? else {
        return Ok(None);
    };
    let image = || {
        let known = cache.image_digests(packed);
        let given = expected.given.iter();
        let listed = expected.listed.iter().map(|listed| &listed.image);
        if given
            .chain(listed)
            .all(|digest| known.contains_key(&digest.algorithm))
        {
            return Ok(known);
        }
        let digests = pass::of_image(base.file(), source, expected, report)?;
        cache.note_image_digests(packed, &digests);
        Ok(digests)
    };
    fit::check(source, expected, packed, image, report)?;
    Ok(Some(base))
}

/// The base image that is known to be what is expected, whatever source it was made from, and what the digest that was
/// given is of.
///
/// # Errors
/// [`Kind::Host`](crate::error::Kind::Host) when the cache cannot be read.
pub fn expected(cache: &Cache, expected: &Expected) -> Result<Option<(BaseImage, Of)>> {
    if expected.listed.is_none() && expected.proof.is_none() {
        let given = expected.given.as_ref();
        return given.map_or(Ok(None), |given| cache.base_with(given));
    }
    let bases = cache.bases();
    let base = bases.iter().find(|base| expected.is(base));
    let base = base.map_or(Ok(None), |base| cache.base(&base.digests))?;
    Ok(base.map(|base| (base, Of::Source)))
}
