//! Filling the file systems of a new image with the files of an archive.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{directory, mounts::Mounts, partition::Access, protocol::Unpack};
use crate::{
    disk::{FsKind, Volume},
    error::{Context, Error, Kind, Result},
    event::Event,
    shape::{check, new::fstab_line},
    sys::{
        command,
        inroot::{Root, path_of},
        programs, tar,
    },
};

/// Unpacks `archive` into the file systems of `image`; what the user should know.
///
/// # Errors
/// [`Kind::Host`] with what tar says, [`Kind::Image`] when a file system does not take a file.
pub fn unpack(image: &File, wanted: &Unpack, archive: File) -> Result<Vec<Event>> {
    let fats: Vec<(u32, PathBuf)> = wanted
        .layout
        .places()
        .filter(|(number, _)| is_fat(&wanted.volumes, *number))
        .map(|(number, at)| (number, at.to_owned()))
        .collect();
    // A FAT has no owners, so what belongs there comes by way of the root.
    let numbers: Vec<u32> = fats.iter().map(|(number, _)| *number).collect();
    let linux = wanted.layout.without(&numbers);
    let (mounts, _) = Mounts::open(image, &wanted.volumes, Some(&linux), Access::Write)?;
    let filled = fill(&mounts, wanted, &fats, archive);
    let closed = mounts.close();
    filled?;
    let told = closed?;
    let all: Vec<u32> = wanted.layout.places().map(|(number, _)| number).collect();
    check::at_end(image, &wanted.volumes, &all, &directory::nodes())?;
    Ok(told)
}

fn fill(mounts: &Mounts, wanted: &Unpack, fats: &[(u32, PathBuf)], archive: File) -> Result<()> {
    tar::unpack_from(archive, mounts.root())?
        .end()
        .map_err(|error| match error.to_string() {
            // Of the image: where this machine's disk is full, the image's files cannot be written at all.
            text if text.contains(tar::NO_SPACE) => {
                Error::image(text).hint("make the image or that partition larger in image.new")
            }
            _ => error.hint("is the archive whole?"),
        })?;
    let root = Root::open(mounts.root())?;
    for (number, at) in fats {
        let handle = root.make_dirs(at).context(Kind::Image, || {
            format!("the archive has no folder {}", at.display())
        })?;
        let real = fs::read_link(path_of(&handle)).context(Kind::Host, || {
            format!("cannot reach {} in the image", at.display())
        })?;
        mounts.look(*number, |_| {
            move_all(&real, &directory::path().join("aside"))
        })??;
    }
    add_fstab(&root, wanted)
}

/// Moves everything in the folder `from` to `to`, which is a FAT.
fn move_all(from: &Path, to: &Path) -> Result<()> {
    let program = programs::find("cp")?;
    let words = [
        "--recursive",
        "--no-target-directory",
        "--preserve=timestamps",
        "--",
    ];
    let args = words.map(OsString::from);
    let args = [&args[..], &[from.into(), to.into()]].concat();
    let output = command::output(&program, &args)?;
    if !output.status.success() {
        return Err(command::failure(Kind::Image, &program, &args, &output)
            .hint("a FAT has no links and no devices: leave them out of the archive, or use another file system"));
    }
    let failed = || format!("cannot empty {}", from.display());
    for entry in fs::read_dir(from).context(Kind::Host, failed)? {
        let entry = entry.context(Kind::Host, failed)?;
        let is_folder = entry.file_type().context(Kind::Host, failed)?.is_dir();
        let removed = match is_folder {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed.context(Kind::Host, failed)?;
    }
    Ok(())
}

/// Writes an fstab, unless the archive has one with a line in it.
fn add_fstab(root: &Root, wanted: &Unpack) -> Result<()> {
    let path = Path::new("etc/fstab");
    let there = root.read(path, 1 << 20).unwrap_or_default();
    let says_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if !there.lines().all(says_nothing) {
        return Ok(());
    }
    let mut text = there;
    let mut places: Vec<_> = wanted.layout.places().collect();
    places.sort_by_key(|(_, at)| at.components().count());
    for (number, at) in places {
        let (uuid, kind) = known(&wanted.volumes, number)?;
        text += &fstab_line(uuid, at, kind);
    }
    for volume in &wanted.volumes {
        if let Some(fs) = volume.fs.as_ref().filter(|fs| fs.kind == FsKind::Swap) {
            text += &format!(
                "UUID={}\tnone\tswap\tsw\t0\t0\n",
                fs.uuid.as_deref().unwrap_or_default()
            );
        }
    }
    let failed = || "cannot write /etc/fstab in the image".to_owned();
    root.make_dirs("etc".as_ref())
        .context(Kind::Image, failed)?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = root.open_at(path, flags, Mode::from_bits_truncate(0o644));
    let mut file = File::from(file.context(Kind::Image, failed)?);
    file.write_all(text.as_bytes()).context(Kind::Image, failed)
}

/// The identifier and kind of the file system of a partition.
fn known(volumes: &[Volume], number: u32) -> Result<(&str, &'static str)> {
    let volume = volumes
        .iter()
        .find(|volume| volume.partition.number == number);
    let fs = volume.and_then(|volume| volume.fs.as_ref());
    let known = fs.and_then(|fs| Some((fs.uuid.as_deref()?, fs.kind.name())));
    known.ok_or_else(|| Error::other(format!("partition {number} has no identifier")))
}

fn is_fat(volumes: &[Volume], number: u32) -> bool {
    let volume = volumes
        .iter()
        .find(|volume| volume.partition.number == number);
    volume
        .and_then(|volume| volume.fs.as_ref())
        .is_some_and(|fs| fs.kind.is_fat())
}
