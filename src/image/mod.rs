//! From the source to the work image, and from the work image to the output.
//!
//! ```text
//! Source --fetch--> BaseImage --WorkImage::create--> WorkImage --publish--> output
//! ```
//!
//! [`fetch`] downloads, verifies and decompresses a source once, into the [`Cache`]; every run then
//! makes its own [`WorkImage`] from the base image. Nothing appears under its final name before it
//! is complete, and neither sources nor base images are ever written.

mod asked;
mod cache;
pub mod catalogue;
mod checksum;
mod convert;
pub mod copy;
mod decode;
mod digest;
mod download;
mod expected;
mod fit;
mod http;
pub mod kept;
mod known;
mod local;
mod location;
mod lock;
mod output;
mod pass;
mod record;
mod remote;
mod signature;
mod small_file;
mod source;
mod sparse;
mod stream;
mod sums;
mod wanted;
mod work;

pub use asked::{Asked, Named, is_name};
pub use cache::{BaseImage, Cache, OutputLock};
pub use checksum::Checksum;
pub use location::Location;
pub use output::{OutputFile, directory};
pub use signature::Signature;
pub use source::Source;
pub use stream::Stream;
pub use work::WorkImage;

use decode::Format;
use http::{Client, Patience};

use crate::{
    error::{Error, Result},
    event::{Event, Report},
};

/// Verifies the source and gives its base image: from the cache where it is there, else made now. A
/// local file that is not packed is its own base image.
///
/// Blocks while it works, and while another run makes the same base image.
///
/// # Errors
/// * [`Kind::Usage`](crate::error::Kind::Usage): the file or address does not exist;
/// * [`Kind::Image`](crate::error::Kind::Image): its checksum is wrong, it is damaged, truncated or
///   in a format that is not read. Nothing of it stays;
/// * [`Kind::Host`](crate::error::Kind::Host): the network, the disk or the cache fails.
pub fn fetch(cache: &Cache, source: &Source, report: &dyn Report) -> Result<BaseImage> {
    let base = fetch_with(cache, &Client::new(Patience::default()), source, report)?;
    match is_archive(&base)? {
        false => Ok(base),
        true => Err(Error::image(format!("{} is a tar archive, not a disk image", source.location)).hint(
            "if it holds the files of a system, declare the image to put them into, as image.new in pichroot.yml; if \
             it holds an image, unpack it first",
        )),
    }
}

/// As [`fetch`], for an archive of the files of a system, from which a new image is made.
///
/// # Errors
/// As [`fetch`]; [`Kind::Image`](crate::error::Kind::Image) also for what is no archive.
pub fn fetch_archive(cache: &Cache, source: &Source, report: &dyn Report) -> Result<BaseImage> {
    let base = fetch_with(cache, &Client::new(Patience::default()), source, report)?;
    match is_archive(&base)? {
        true => Ok(base),
        false => Err(Error::image(format!("{} is no tar archive", source.location)).hint(
            "a new image is made from a folder, or a .tar, .tar.xz, .tar.zst or .tar.gz; to start from a disk image, \
             leave out image.new",
        )),
    }
}

fn is_archive(base: &BaseImage) -> Result<bool> {
    let name = base.path().display().to_string();
    Ok(pass::detect(base.file(), &name)? == Format::Tar)
}

/// Whether its base image needs neither a download nor unpacking, as far as that can be told without asking anybody.
pub fn at_hand(cache: &Cache, source: &Source) -> bool {
    match &source.location {
        Location::Path(path) => local::at_hand(cache, path),
        Location::Url(url) => remote::at_hand(cache, url, source),
    }
}

/// Verifies a source that is to be changed where it is.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) when it is not a local image, or packed; else as
/// [`fetch`].
pub fn verify_in_place(source: &Source, report: &dyn Report) -> Result<()> {
    let Location::Path(path) = &source.location else {
        return Err(
            Error::usage(format!("{} is not a local image", source.location))
                .hint("download it first, or leave out --write"),
        );
    };
    // Nobody has to say what an image should be that changes with every run.
    let client = Client::new(Patience::default());
    let expected = source.expected(&client, None, report)?;
    local::verify_in_place(path, &expected, report)
}

fn fetch_with(
    cache: &Cache,
    client: &Client,
    source: &Source,
    report: &dyn Report,
) -> Result<BaseImage> {
    let expected = source.expected(client, Some(cache), report)?;
    if !expected.is_something() {
        source.tell_unchecked(report);
    }
    let base = match &source.location {
        Location::Path(path) => local::fetch(cache, path, &expected, report),
        Location::Url(url) => remote::fetch(cache, client, url, &expected, report),
    }?;
    report.tell(Event::BaseImage(base.path().to_owned()));
    Ok(base)
}

#[cfg(test)]
mod tests;
