//! Twins: host-architecture builds of the very programs that an image has.
//!
//! A twin is of the same package and version as the image's program, and so are all its libraries
//! and its loader. They come from the host's own packages, or from the image's own sources, by
//! apt's signed lists, unpacked into a cache and never installed. Everything else has no twin.

mod apt;
mod builds;
pub mod catalogue;
mod deb;
mod found;
mod installed;
mod libraries;
mod lists;
mod pairing;
pub mod perl;
mod port;
mod search;
mod sources;
pub mod stamp;
mod store;
#[cfg(test)]
mod testing;
mod verified;

pub use catalogue::Rule;
pub use found::Found;
pub use search::Search;

use self::{
    builds::Builds,
    installed::Installed,
    libraries::Libraries,
    pairing::{candidates, pair},
    port::ports,
    store::Store,
    verified::Verified,
};
use crate::{error::Result, event::Event, sys::inroot::Root};

/// How often more can be asked for: programs, their libraries, those of the libraries.
const MAX_ROUNDS: usize = 8;

/// Finds the twins for an image.
///
/// An image without dpkg has none, which is no error. Nor is a source that cannot be reached: then
/// there are those that are at hand.
///
/// # Errors
/// When the cache cannot be used.
pub fn find(search: &Search) -> Result<Found> {
    find_with(search, &Root::open("/".as_ref())?)
}

/// As [`find`], with the packages that are below `host`.
fn find_with(search: &Search, host: &Root) -> Result<Found> {
    let store = Store::open(search.cache)?;
    let verified = Verified::read(&search.cache.join("verified.json"));
    let host = Installed::read(host, search.host, &verified);
    let found = search_through(search, store, host, &verified);
    verified.save();
    found
}

fn search_through(
    search: &Search,
    store: Store,
    host: Option<Installed>,
    verified: &Verified,
) -> Result<Found> {
    let Some(image) = Installed::read(search.root, search.image, verified) else {
        return Ok(Found::none("the image has no packages that dpkg knows"));
    };
    let libc = image.package("libc6").map_or("", |p| p.version.as_str());
    if !has_argv0(libc) {
        return Ok(Found::none(format!(
            "libc {libc} of the image is before 2.33"
        )));
    }
    // The image's programs load what it names, for its architecture; a twin can only complain.
    if search.root.locate("etc/ld.so.preload".as_ref()).is_ok() {
        return Ok(Found::none("the image has an /etc/ld.so.preload"));
    }
    let candidates = candidates(search, &image);
    let owners = image.libraries();
    // Twins are of the first port of the host's architecture; PCs have one.
    let port = host
        .as_ref()
        .map_or(ports(search.host)[0], |host| host.port);
    let mut builds = Builds::new(search, port, host, store);
    let mut apt = None;
    for _ in 0..MAX_ROUNDS {
        let libraries = Libraries::new(&image, &owners, &builds, port);
        let found = pair(search, &image, &libraries, &candidates, &builds, port);
        let more = search.fetch && fetch(search, &mut builds, &mut apt);
        if !more {
            return Ok(found);
        }
    }
    let libraries = Libraries::new(&image, &owners, &builds, port);
    Ok(pair(search, &image, &libraries, &candidates, &builds, port))
}

fn fetch(search: &Search, builds: &mut Builds, apt: &mut Option<apt::Apt>) -> bool {
    builds.fetch(apt, search.report).unwrap_or_else(|error| {
        (search.report)(Event::TwinsFailed {
            what: "cannot fetch twins".into(),
            why: error.to_string(),
        });
        false
    })
}

/// Whether the loader of this version of glibc knows `--argv0`.
fn has_argv0(version: &str) -> bool {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|digits| digits.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(2), Some(33))
}

#[cfg(test)]
mod tests;
