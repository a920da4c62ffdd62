//! Fetches a source from an http(s) server.

use super::{
    cache::{BaseImage, Cache, Of},
    digest::Digest,
    download::{Answer, Download, download},
    http::Client,
    pass::{self, Input},
    record::{BaseRecord, PlaceRecord},
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
    wanted: Option<&Digest>,
    report: &dyn Report,
) -> Result<BaseImage> {
    let name = Address::of(url).to_string();
    let place = format!("url {url}");
    let cached = || -> Result<Option<BaseImage>> {
        let found = wanted.map_or(Ok(None), |wanted| cache.base_with(wanted))?;
        Ok(found.map(|(base, of)| {
            if of == Of::Image {
                report.tell(Event::ImagesChecksum(name.clone()));
            }
            base
        }))
    };
    if let Some(base) = cached()? {
        return Ok(base);
    }
    let _same_place = cache.lock_fetch(&place, &name, report)?;
    let _same_content = wanted
        .map(|wanted| cache.lock_fetch(&wanted.to_string(), &name, report))
        .transpose()?;
    // Another run may just have done it.
    if let Some(base) = cached()? {
        return Ok(base);
    }
    let seen = cache
        .place(&place)
        .filter(|seen| !seen.validators.is_empty());
    let have = match (&seen, wanted) {
        (Some(seen), None) => cache.base(&seen.digests)?,
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
        wanted.is_some(),
        report,
    );
    match (answer, have) {
        (Ok(Answer::Complete(done)), _) => take_in(cache, done, &name, &place, wanted, report),
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

/// Decodes a complete download into the cache and removes it; also where it proves to be no good.
fn take_in(
    cache: &Cache,
    done: Download,
    name: &str,
    place: &str,
    wanted: Option<&Digest>,
    report: &dyn Report,
) -> Result<BaseImage> {
    let result = decode(cache, &done, name, wanted, report);
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
    wanted: Option<&Digest>,
    report: &dyn Report,
) -> Result<(BaseImage, super::digest::Digests)> {
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
    let new = cache.new_base()?;
    let decoded = pass::decode(&input, &new, wanted, report)?;
    let digests = decoded.digests.clone();
    let record = BaseRecord::now(name, decoded, source_size);
    Ok((cache.insert(new, record)?, digests))
}
