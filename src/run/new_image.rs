//! A new image, of the files in an archive or a folder.

use std::{
    fs::File,
    io::{self, Seek},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use super::{signals::Signals, work};
use crate::{
    disk::volume,
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    image::{self, BaseImage, Cache, Location, Source},
    shape::new::{self, Plan},
    stage::protocol::{Unpack, Work},
    sys::tar::{self, Packing, Tar},
};

/// Where the files come from.
pub enum Files {
    /// An archive, as it is without its packing.
    Archive(BaseImage),
    /// A folder of this machine.
    Folder(PathBuf),
}

impl Files {
    /// Fetches what `source` names.
    ///
    /// # Errors
    /// As [`image::fetch_archive`].
    pub fn fetch(cache: &Cache, source: &Source, report: &dyn Report) -> Result<Self> {
        match &source.location {
            Location::Path(path) if path.is_dir() => Ok(Files::Folder(path.clone())),
            _ => image::fetch_archive(cache, source, report).map(Files::Archive),
        }
    }

    /// The SHA-256 of an archive, as it is packed.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be read.
    pub fn sha256(&self, report: &dyn Report) -> Result<Option<String>> {
        match self {
            Files::Archive(base) => base.source_sha256(report).map(Some),
            Files::Folder(_) => Ok(None),
        }
    }

    /// They, as a stream of tar's; with it comes the tar that writes it, if one does.
    fn open(&self) -> Result<(OwnedFd, Option<Tar>)> {
        match self {
            Files::Archive(base) => {
                let failed = || format!("cannot read {}", base.path().display());
                let mut file = base.file().try_clone().context(Kind::Host, failed)?;
                file.rewind().context(Kind::Host, failed)?;
                Ok((file.into(), None))
            }
            Files::Folder(path) => {
                has_a_system(path)?;
                let (stream, pipe) =
                    io::pipe().context(Kind::Host, || "cannot make a pipe".into())?;
                let tar = tar::pack(path, pipe.into(), &Packing::default())?;
                Ok((stream.into(), Some(tar)))
            }
        }
    }
}

/// Makes the empty file `image` the image of `plan`, with the `files` in it; the user calls their source `name`.
///
/// # Errors
/// [`Kind::Usage`] for what no program takes of the plan, [`Kind::Image`] for files that do not fit.
pub async fn make(
    image: &File,
    plan: &Plan,
    files: &Files,
    name: &str,
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<()> {
    new::write_table(image, plan)?;
    work::run(image, name, Work::Make(plan.parts.clone()), signals, report).await?;
    report.tell(Event::NewImage {
        size: plan.size,
        partitions: plan.parts.len(),
        from: name.to_owned(),
    });
    let (_, volumes) = volume::read(image, plan.size, name)?;
    let unpack = Work::Unpack(Unpack {
        volumes,
        layout: plan.layout.clone(),
    });
    let (stream, tar) = files.open()?;
    let unpacked = work::run_with(image, name, (unpack, Some(stream)), signals, report).await;
    // It ends early if its archive is not taken: then that is the reason.
    unpacked?;
    tar.map_or(Ok(()), Tar::end)
}

/// Refuses a folder without a system: it is easily the wrong one, and is read as root.
fn has_a_system(folder: &Path) -> Result<()> {
    let there = ["etc", "usr"].iter().all(|name| folder.join(name).is_dir());
    match there {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "{} is no root of a system: it has no etc or no usr",
            folder.display()
        ))
        .hint("name the folder whose etc, usr and so on are to be those of the image")),
    }
}
