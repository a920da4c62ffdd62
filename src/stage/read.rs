//! What is read of an image that is not opened: nothing of it runs, and nothing in it changes.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use super::{
    boot, facts,
    mounts::Mounts,
    partition::Access,
    protocol::{self, Archive, Looked, Read, Reading},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::Event,
    netboot,
    sys::{
        inroot::Root,
        tar::{self, Packing},
    },
};

/// Where the files are that a Pi's firmware boots from: on the boot partition of Ubuntu and of Raspberry Pi OS since 12,
/// and before.
const PLACES: [&str; 2] = ["boot/firmware", "boot"];
/// Of these the firmware needs one.
const OF_FIRMWARE: [&str; 2] = ["config.txt", "cmdline.txt"];

/// Reads of `image` what is wanted; an archive goes to `to`. What to say at the end, and what the user should know.
///
/// # Errors
/// [`Kind::Image`] when it cannot be mounted, or has nothing of what is wanted.
pub fn read(
    image: &File,
    wanted: &Read,
    to: Option<OwnedFd>,
) -> Result<(protocol::Event, Vec<Event>)> {
    let layout = wanted.layout.as_ref();
    let (mut mounts, by_fstab) = Mounts::open(image, &wanted.volumes, layout, Access::Read)?;
    let told = match by_fstab {
        Some(layout) => boot::mount(&mut mounts, &layout)?,
        None => Vec::new(),
    };
    let notes = mounts.notes();
    let done = take(&mounts, &wanted.what, to);
    let closed = mounts.close();
    let done = done?;
    closed?;
    // Once is enough, and looking comes first.
    let told = match done {
        protocol::Event::Looked(_) => told.into_iter().chain(notes).collect(),
        _ => Vec::new(),
    };
    Ok((done, told))
}

fn take(mounts: &Mounts, what: &Reading, to: Option<OwnedFd>) -> Result<protocol::Event> {
    let root = Root::open(mounts.root())?;
    let boot = PLACES.iter().map(Path::new).find(|place| {
        let there = |name: &str| root.is_file(&place.join(name));
        OF_FIRMWARE.iter().any(|name| there(name))
    });
    let (archive, folder, packing) = match what {
        Reading::Look => return look(mounts, &root, boot).map(protocol::Event::Looked),
        Reading::Check(checks) => {
            let boot = Root::open(&real(&root, boot.ok_or_else(no_boot_files)?)?)?;
            let found = netboot::check(&boot, Some(&root), &checks.wanted, &checks.without);
            return Ok(protocol::Event::Checked(found));
        }
        Reading::Boot(archive) => {
            let real = real(&root, boot.ok_or_else(no_boot_files)?)?;
            let packing = Packing {
                readable: true,
                ..Packing::default()
            };
            (archive, real, packing)
        }
        Reading::Root(archive) => {
            let empty = boot.map(|boot| below(mounts, &real(&root, boot)?));
            let packing = Packing {
                empty: empty.into_iter().collect::<Result<_>>()?,
                ..Packing::default()
            };
            (archive, mounts.root().to_owned(), packing)
        }
    };
    let Archive { latest } = *archive;
    let to = to.ok_or_else(|| Error::other("there is no pipe for the archive"))?;
    let packing = Packing { latest, ..packing };
    tar::pack(&folder, to, &packing)?.end()?;
    Ok(protocol::Event::Done { size: None })
}

fn look(mounts: &Mounts, root: &Root, boot: Option<&Path>) -> Result<Looked> {
    let places = mounts.places();
    let of_root = places.iter().find(|(_, at)| at == Path::new("/"));
    let (number, _) = of_root.ok_or_else(|| Error::other("the image has no root"))?;
    Ok(Looked {
        root: *number,
        boot: boot.map(Path::to_owned),
        arch: facts::arch(root)?,
        os: facts::os(root),
    })
}

/// Where `path` of the image is in the stage, which may lead through links.
fn real(root: &Root, path: &Path) -> Result<PathBuf> {
    let failed = || format!("cannot reach {} in the image", path.display());
    root.real(path).context(Kind::Image, failed)
}

/// The path of `place`, which is in the stage, below the root of the image.
fn below(mounts: &Mounts, place: &Path) -> Result<PathBuf> {
    let below = place.strip_prefix(mounts.root());
    let outside = io::Error::other("it is outside the image");
    below
        .map(Path::to_owned)
        .map_err(|_| outside)
        .context(Kind::Image, || format!("cannot reach {}", place.display()))
}

fn no_boot_files() -> Error {
    Error::image("the image has no files that a Raspberry Pi boots from").hint(
        "they are looked for in /boot/firmware and /boot, where config.txt or cmdline.txt is; where the boot partition \
         is not found, name it in pichroot.yml, as in `image: {layout: {1: /boot/firmware, 2: /}}`",
    )
}
