//! The disk of a virtual machine becomes a plain image, by qemu-img.

use std::{fs::File, os::unix::fs::MetadataExt};

use super::{cache::ELSEWHERE, copy, decode};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Report, Task},
    sys::{
        newfile::NewFile,
        qemu_img::{self, DiskFormat},
        room,
    },
};

/// Makes a plain image of the disk of a virtual machine, `source`, which the user calls `name`; returns its size.
///
/// # Errors
/// [`Kind::Image`] where it cannot be read, [`Kind::Host`] where the image cannot be written.
pub fn disk(
    source: &File,
    name: &str,
    disk: DiskFormat,
    new: &NewFile,
    report: &dyn Report,
) -> Result<u64> {
    decode::disk::stands_alone(source, disk).map_err(|error| {
        Error::image(format!("{name} cannot be used: {error}"))
            .hint("make one image of it with qemu-img convert -O qcow2, where the others are")
    })?;
    let failed = || format!("cannot read {name}");
    let meta = source.metadata().context(Kind::Host, failed)?;
    let task = Task::Decompressing(name.to_owned());
    let progress = report.begin(task, Some(meta.len()));
    let mut at = |part: f64| progress.at((part * meta.len() as f64) as u64);
    // Whoever converts has no rights, so what not everybody may read is copied.
    let copied = match meta.mode() & 0o004 {
        0 => Some(own_copy(source, name, new)?),
        _ => None,
    };
    let from = copied.as_ref().map_or(source, NewFile::file);
    qemu_img::convert(
        (from, Some(disk), copied.is_some()),
        (new.file(), None),
        &mut at,
    )
    .map_err(|error| match error.kind() {
        Kind::Image => error
            .of(name)
            .hint("get the image again; `qemu-img check` tells more of it"),
        Kind::Host if error.to_string().contains("No space left") => {
            error.better_hint(room::hint(new.file(), None, ELSEWHERE))
        }
        _ => error,
    })?;
    Ok(new.file().metadata().context(Kind::Host, failed)?.len())
}

/// A copy of the source beside `new`.
fn own_copy(source: &File, name: &str, new: &NewFile) -> Result<NewFile> {
    let failed = || format!("cannot copy {name} to the cache");
    let copy = new.another().context(Kind::Host, failed)?;
    let size = source.metadata().context(Kind::Host, failed)?.len();
    copy::copy(source, copy.file(), size, &mut |_| {}).context(Kind::Host, failed)?;
    Ok(copy)
}
