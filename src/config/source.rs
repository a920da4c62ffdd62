//! Which image it is, and how it is known to be right.

use std::path::{Path, PathBuf};

use super::{
    file::{self, File},
    given::GivenImage,
    locations,
    surroundings::Surroundings,
};
use crate::{
    error::{Error, Result},
    image::{
        Asked, Checksum, Location, Named, Signature, Source,
        catalogue::{self, Catalogues},
        is_name,
    },
};

/// Names the list in place of Raspberry Pi's own, or says `none`.
const OFFICIAL: &str = "PICHROOT_CATALOGUE";

/// The image that is given, else that of the file, with its checksum and signature: what is given of these, else those
/// of the file where the image is the file's.
///
/// # Errors
/// [`crate::error::Kind::Usage`] where there is none, or the checksum is none.
pub(super) fn source(
    image: Option<&str>,
    given: &GivenImage,
    (file, folder): (&File, &Path),
    around: &Surroundings,
) -> Result<Asked> {
    let (cwd, home) = (around.cwd.as_path(), around.home());
    let image = image.map(|image| Words::new(image, cwd, home));
    let configured = file.image.source.as_deref();
    let configured = configured.map(|source| Words::new(source, folder, home));
    let is_configured = image.is_none() || image == configured;
    let Some(image) = image.or(configured) else {
        return Err(Error::usage("no image is given").hint(
            "name one by --image SOURCE, or as image.source in pichroot.yml: a path, a URL, or a name that \
             `pichroot images` lists",
        ));
    };
    let checksum = match (&given.checksum, &file.image.checksum) {
        (Some(sum), _) => Some(locations::checksum(sum, cwd, home)),
        (None, Some(sum)) if is_configured => Some(locations::checksum(sum, folder, home)),
        _ => None,
    };
    let checksum = Checksum::of(checksum.as_deref())?;
    let configured = file.image.signature.as_ref().filter(|_| is_configured);
    let signature = signature(given, (configured, folder), around)?;
    Ok(match image {
        Words::Name { name, path } => Asked::Name(Named {
            name,
            path,
            catalogues: catalogues(&given.catalogues, (file, folder), around)?,
            checksum,
            signature,
        }),
        Words::Location(text) => Asked::Source(Source {
            signature,
            ..Source::new(Location::parse(&text)?, checksum)
        }),
    })
}

/// How the user says which image.
enum Words {
    /// A URL, or an absolute path.
    Location(String),
    /// A name, and where there is no file of that name.
    Name { name: String, path: PathBuf },
}

impl PartialEq for Words {
    /// A name is the same wherever it is given.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Words::Location(one), Words::Location(other)) => one == other,
            (Words::Name { name: one, .. }, Words::Name { name: other, .. }) => one == other,
            _ => false,
        }
    }
}

impl Words {
    fn new(text: &str, base: &Path, home: Option<&Path>) -> Self {
        let location = locations::image(text, base, home);
        match location == text || !is_name(text, Path::new(&location)) {
            true => Words::Location(location),
            false => Words::Name {
                name: text.to_owned(),
                path: location.into(),
            },
        }
    }
}

/// Who must have signed: what is given, or else what the file says.
fn signature(
    given: &GivenImage,
    (configured, folder): (Option<&file::Signature>, &Path),
    around: &Surroundings,
) -> Result<Option<Signature>> {
    let (cwd, home) = (around.cwd.as_path(), around.home());
    let own = given.keyring.as_deref().map(|keyring| cwd.join(keyring));
    let configured_keyring = configured.map(|s| locations::absolute(&s.keyring, folder, home));
    // That of the file belongs to its keyring.
    let file = match (&given.signature, configured.and_then(|s| s.file.as_ref())) {
        (Some(file), _) => Some(locations::image(file, cwd, home)),
        (None, Some(file)) if own.is_none() => Some(locations::image(file, folder, home)),
        _ => None,
    };
    let file = file.map(|file| Location::parse(&file)).transpose()?;
    match own.or(configured_keyring) {
        Some(keyring) => Ok(Some(Signature { keyring, file })),
        None if file.is_some() => Err(Error::usage("a signature is given, and no keyring")
            .hint("name the file with the publisher's public keys by --keyring")),
        None => Ok(None),
    }
}

/// The lists in which names are looked up: those that are given, those of the file, and the official one.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for what names no list.
pub(super) fn catalogues(
    given: &[String],
    (file, folder): (&File, &Path),
    around: &Surroundings,
) -> Result<Catalogues> {
    let (cwd, home) = (around.cwd.as_path(), around.home());
    let given = given.iter().map(|list| locations::image(list, cwd, home));
    let configured = file.image.catalogues.iter();
    let configured = configured.map(|list| locations::image(list, folder, home));
    let own = given.chain(configured).map(|list| Location::parse(&list));
    let official = match around.text(OFFICIAL) {
        Some("none") => None,
        Some(list) => Some(Location::parse(&locations::image(list, cwd, home))?),
        None => Some(Location::Url(catalogue::OFFICIAL.into())),
    };
    Ok(Catalogues {
        own: own.collect::<Result<_>>()?,
        official,
    })
}
