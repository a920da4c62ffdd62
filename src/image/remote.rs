//! Fetches a source from an http(s) server.

use super::{
    cache::{BaseImage, Cache, Of},
    checksum::Checksum,
    digest::{Algorithm, Digests},
    download::{Answer, Download, download},
    expected::Expected,
    http::Client,
    known,
    pass::{self, Input},
    record::{BaseRecord, PlaceRecord},
    source::Source,
};
use crate::{
    address::Address,
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
};

/// The base image for the file at `url`.
///
/// With a digest that the cache knows, the network is not used. Without a digest the server is asked
/// whether the file is still the one that the cache has.
pub fn fetch(
    cache: &Cache,
    client: &Client,
    url: &str,
    expected: &Expected,
    report: &dyn Report,
) -> Result<BaseImage> {
    let name = Address::of(url).to_string();
    let place = format!("url {url}");
    let cached = || -> Result<Option<BaseImage>> {
        if let Some((base, of)) = known::expected(cache, expected)? {
            if of == Of::Image {
                report.tell(Event::ImagesChecksum(name.clone()));
            }
            return Ok(Some(base));
        }
        Ok(listed(cache, &name, &place, expected, report))
    };
    if let Some(base) = cached()? {
        return Ok(base);
    }
    let _same_place = cache.lock_fetch(&place, &name, report)?;
    let _same_content = expected
        .digest()
        .map(|digest| cache.lock_fetch(&digest.to_string(), &name, report))
        .transpose()?;
    // Another run may just have done it.
    if let Some(base) = cached()? {
        return Ok(base);
    }
    let seen = cache
        .place(&place)
        .filter(|seen| !seen.validators.is_empty());
    let have = match &seen {
        Some(seen) if !expected.is_something() => cache.base(&seen.digests)?,
        _ => None,
    };
    let version = seen
        .as_ref()
        .filter(|_| have.is_some())
        .map(|seen| &seen.validators);
    let answer = download(
        client,
        &cache.downloads(),
        url,
        version,
        expected.is_something(),
        report,
    );
    match (answer, have) {
        (Ok(Answer::Complete(done)), _) => take_in(cache, done, (&name, &place), expected, report),
        (Ok(Answer::Unchanged), Some(base)) => Ok(base),
        (Ok(Answer::Unchanged), None) => Err(Error::host(format!(
            "{name}: the server answers 304 to a plain request"
        ))
        .hint("try another address")),
        (Err(error), Some(_)) => Err(error.better_hint(
            "an older copy is in the cache: with a --checksum it is used without asking the server",
        )),
        (Err(error), None) => Err(error),
    }
}

/// The base image that was made of what is listed before anybody knew that, if the cache has it.
fn listed(
    cache: &Cache,
    name: &str,
    place: &str,
    expected: &Expected,
    report: &dyn Report,
) -> Option<BaseImage> {
    let packed = expected.listed.as_ref()?.packed.as_ref();
    let packed = packed.map(|digest| Digests::from([(Algorithm::Sha256, digest.hex.clone())]));
    let packed = packed.or_else(|| Some(cache.place(place)?.digests))?;
    if expected
        .proof
        .as_ref()
        .is_some_and(|proof| !proof.is_of(&packed))
    {
        return None;
    }
    // Where it is something else by now, it is downloaded.
    known::base(cache, name, expected, &packed, report).ok()?
}

/// Whether the file at `url`, which is the source's, has a base image already, unless the server has another one by now.
pub fn at_hand(cache: &Cache, url: &str, source: &Source) -> bool {
    let image = source.listed.as_ref().map(|listed| &listed.image);
    let base = match (&source.checksum, image) {
        (Checksum::Digest(digest), _) | (_, Some(digest)) => cache
            .base_with(digest)
            .map(|found| found.map(|(base, _)| base)),
        _ => {
            let seen = cache.place(&format!("url {url}"));
            seen.map_or(Ok(None), |seen| cache.base(&seen.digests))
        }
    };
    matches!(base, Ok(Some(_)))
}

/// Decodes a complete download into the cache and removes it; also where it proves to be no good.
fn take_in(
    cache: &Cache,
    done: Download,
    (name, place): (&str, &str),
    expected: &Expected,
    report: &dyn Report,
) -> Result<BaseImage> {
    let result = decode(cache, &done, name, expected, report);
    if let Ok((_, digests)) = &result {
        let seen = PlaceRecord {
            digests: digests.clone(),
            validators: done.validators().clone(),
            ..PlaceRecord::default()
        };
        cache.set_place(place, &seen);
    }
    // After a full disk or the like, it is still good for the next run.
    if result
        .as_ref()
        .map_or_else(|error| error.kind() == Kind::Image, |_| true)
    {
        done.remove();
    }
    result.map(|(base, _)| base)
}

fn decode(
    cache: &Cache,
    done: &Download,
    name: &str,
    expected: &Expected,
    report: &dyn Report,
) -> Result<(BaseImage, Digests)> {
    let file = done.open()?;
    let source_size = file
        .metadata()
        .context(Kind::Host, || format!("cannot read {name}"))?
        .len();
    let input = Input {
        file: &file,
        name,
        format: pass::detect(&file, name)?,
    };
    if let Some(proof) = &expected.proof {
        proof.verify(&file, name, report)?;
    }
    let new = cache.new_base()?;
    let decoded = pass::decode(&input, &new, expected, report)?;
    let digests = decoded.digests.clone();
    if let Some(proof) = &expected.proof {
        proof.note(cache, &digests);
    }
    let record = BaseRecord::now(name, decoded, source_size);
    Ok((cache.insert(new, record)?, digests))
}
