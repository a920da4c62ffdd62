//! What is done to an image that is not opened: none of its programs run.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
};

use super::{
    boot_files, directory,
    protocol::{Event, Work},
    read,
    supervisor::Supervisor,
    unpack,
};
use crate::{
    error::{Context, Error, Kind, Result},
    shape::{fill, new, shrink},
};

/// Does `work` on `image`, and tells that it is done.
pub(super) fn run(
    supervisor: &Supervisor,
    image: &File,
    work: Work,
    archive: Option<OwnedFd>,
) -> Result<()> {
    let nodes = directory::nodes();
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(&nodes)
        .context(Kind::Host, || format!("cannot make {}", nodes.display()))?;
    let scratch = directory::path();
    let size = match work {
        Work::Fill(volume) => {
            let told = fill::fill(image, &volume, scratch)?;
            supervisor.report(told)?;
            None
        }
        Work::Shrink(wanted) => Some(shrink::shrink(image, &wanted, scratch)?),
        Work::Make(parts) => {
            parts
                .iter()
                .try_for_each(|part| new::make(image, part, scratch))?;
            None
        }
        Work::Read(wanted) => {
            let (done, told) = read::read(image, &wanted, archive)?;
            supervisor.report(told)?;
            return supervisor.tell(&done);
        }
        Work::Unpack(wanted) => {
            let archive = archive.ok_or_else(|| Error::other("there is no archive"))?;
            supervisor.report(unpack::unpack(image, &wanted, archive.into())?)?;
            None
        }
        Work::BootFiles(wanted) => {
            let archive = archive.ok_or_else(|| Error::other("there is no archive"))?;
            supervisor.report(boot_files::collect(image, &wanted, archive.into())?)?;
            None
        }
    };
    supervisor.tell(&Event::Done { size })
}
