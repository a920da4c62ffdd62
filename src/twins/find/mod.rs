//! Twins: host-architecture builds of the very programs that an image has.
//!
//! A twin is of the same package and version as the image's program, and so are all its libraries
//! and its loader. They come from the host's own packages, or from the image's own sources, by
//! apt's signed lists, unpacked into a cache and never installed. Everything else has no twin.

mod apt;
mod builds;
pub mod catalogue;
mod deb;
mod installed;
mod libraries;
mod lists;
mod pairing;
pub mod perl;
mod port;
mod sources;
pub mod stamp;
mod store;
#[cfg(test)]
mod testing;
mod verified;

use self::{
    builds::Builds,
    installed::Installed,
    libraries::Libraries,
    pairing::{candidates, pair},
    perl::Perl,
    port::ports,
    stamp::Stamp,
    store::Store,
    verified::Verified,
};
use crate::{
    emulation::arch::Arch,
    error::Result,
    event::{Event, TwinMissing},
    sys::inroot::Root,
};
use std::path::{Path, PathBuf};

pub use catalogue::Rule;
pub use installed::FileId;

/// How often more can be asked for: programs, their libraries, those of the libraries.
const MAX_ROUNDS: usize = 8;

/// Where and for what to look.
pub struct Search<'a> {
    /// The image's root.
    pub root: &'a Root,
    /// What the image is for.
    pub image: Arch,
    /// What twins are for.
    pub host: Arch,
    /// The kernel's release that programs of the image see, if it is not this machine's.
    pub kernel: Option<&'a str>,
    /// A private folder of ours; made when missing.
    pub cache: &'a Path,
    /// A folder for apt's own files while it fetches; nobody sweeps it. Other users have to get through.
    pub scratch: &'a Path,
    /// Whether to use the network; else only the host's packages and what is cached.
    pub fetch: bool,
    /// Takes details, for -v.
    pub report: &'a dyn Fn(Event),
}

/// What there is.
#[derive(Debug, Default)]
pub struct Found {
    /// The programs that have twins, by path.
    pub programs: Vec<Program>,
    /// The twins' own dynamic loader, of the image's libc version; none where there is no twin.
    pub loader: PathBuf,
    /// What twins are for, as dpkg names it.
    pub host: &'static str,
    /// What the image is for, as dpkg names it.
    pub image: &'static str,
    /// Their libraries: host files, each named as programs ask for it, each name once.
    pub libraries: Vec<PathBuf>,
    /// Packages of the catalogue that the image has and of which a program got no twin.
    pub missing: Vec<TwinMissing>,
    /// What perl needs, where it has a twin.
    pub perl: Option<Perl>,
    /// The image's nsswitch.conf, of before it was read: by another one programs look up users in another way.
    pub nsswitch: Option<Stamp>,
    /// Why there are none at all, where that is of the image.
    pub none_as: Option<String>,
    /// Whether a module that the image looks up users with could not be had. Programs that do so
    /// could then give other answers than the image's own.
    pub nss_missing: bool,
}

impl Found {
    fn none(why: impl Into<String>) -> Self {
        Found {
            none_as: Some(why.into()),
            ..Found::default()
        }
    }
}

/// A program of the image and its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where the program is below the image's root, all links resolved.
    pub path: PathBuf,
    /// Its package.
    pub package: String,
    /// The version of that, in the image.
    pub version: String,
    /// The twin: a file of the host.
    pub twin: PathBuf,
    /// When it may run.
    pub rule: Rule,
    /// The program's file in the image, as it was when its content was found to be the package's.
    pub file: FileId,
}

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
