//! The image is unpacked by one thread and written by another, in one pass.

use std::{
    io::{self, Read},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
};

use nix::libc::{EIO, ENODEV, ENOSPC, ENXIO};

use super::{Flash, target::Target};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Progress, Report, Task},
    image::Stream,
    sys::{disk_device, room::Size},
};

/// How much is unpacked, and written at once, in bytes.
const CHUNK: usize = 4 << 20;

/// How many of those wait to be written.
const WAITING: usize = 4;

/// Writes the image to the disk, and compares; how many bytes were written.
///
/// # Errors
/// [`Kind::Image`] when the image is damaged, or not the one of the map; [`Kind::Host`] when the disk fails, or does not
/// give back what was written.
pub fn write(flash: &Flash, report: &dyn Report) -> Result<u64> {
    let shown = flash.disk.path.display().to_string();
    let failed = |error| disk_failed(error, || format!("cannot write {shown}"));
    let unread = |error| disk_failed(error, || format!("cannot read {shown} back"));
    let disk = flash.disk.open(flash.shared)?;
    let task = Task::Writing(flash.name.clone(), flash.disk.path.clone());
    let progress = report.begin(task, flash.bytes());
    let mut target = Target::new(&disk).map_err(failed)?;
    let size = thread::scope(|scope| {
        let (sender, chunks) = mpsc::sync_channel(WAITING);
        let unpacked = scope.spawn(move || unpack(&flash.image, &sender));
        let written = put(flash, &chunks, &mut target, progress.as_ref(), &failed);
        // Whoever unpacks ends when nobody takes it.
        drop(chunks);
        let unpacked = unpacked.join();
        let unpacked =
            unpacked.map_err(|_| Error::other("the thread that unpacks has panicked"))?;
        // The disk's failure is why the other ended; without one, a damaged image is the reason.
        written.and_then(|size| unpacked.map(|()| size))
    })?;
    if flash.size().is_some_and(|known| known != size) {
        let known = flash.size().unwrap_or_default();
        return Err(Error::image(format!(
            "{} has {size} bytes, and its block map is for {known}",
            flash.name.display()
        ))
        .hint("get both again, or move the map away; nothing boots from the disk now"));
    }
    target.clear_old_backup(size).map_err(failed)?;
    target.complete().map_err(failed)?;
    drop(progress);
    let task = Task::ReadingBack(flash.disk.path.clone());
    let progress = report.begin(task, Some(target.written()));
    if let Some(at) = target.compare(progress.as_ref()).map_err(unread)? {
        return Err(Error::host(format!(
            "{shown} does not give back what was written to it, first at {}",
            Size(at)
        ))
        .hint("the card is worn out, or smaller than it says: use another one"));
    }
    disk_device::read_table(&disk);
    Ok(target.written())
}

/// Sends the image in pieces.
fn unpack(image: &Stream, to: &SyncSender<Vec<u8>>) -> Result<()> {
    image.read(|reader, bad| {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            reader
                .take(CHUNK as u64)
                .read_to_end(&mut chunk)
                .map_err(bad)?;
            let last = chunk.len() < CHUNK;
            if !chunk.is_empty() && to.send(chunk).is_err() {
                return Ok(());
            }
            if last {
                return Ok(());
            }
        }
    })
}

/// Writes what matters of the chunks; the image's size.
fn put(
    flash: &Flash,
    chunks: &Receiver<Vec<u8>>,
    target: &mut Target,
    progress: &dyn Progress,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<u64> {
    let mut passing = flash.mapped.begin();
    let mut at = 0;
    while let Ok(chunk) = chunks.recv() {
        let pieces = passing.pieces(at, &chunk).map_err(|range| {
            Error::image(format!(
                "{} is not what its block map says, in the bytes from {} to {}",
                flash.name.display(),
                range.start,
                range.end
            ))
            .hint("get both again; nothing boots from the disk now")
        })?;
        for (at, piece) in pieces {
            target.write(at, piece, progress).map_err(failed)?;
        }
        at += chunk.len() as u64;
    }
    Ok(at)
}

fn disk_failed(error: io::Error, what: impl FnOnce() -> String) -> Error {
    let code = error.raw_os_error();
    let failed = Err::<(), _>(error).context(Kind::Host, what).unwrap_err();
    match code {
        Some(ENOSPC) => failed.better_hint("the image is larger than the disk: use a larger one"),
        Some(EIO | ENODEV | ENXIO) => failed.better_hint(
            "is it still there? it may be worn out; nothing boots from it now, so write it again or use another one",
        ),
        _ => failed.hint("nothing boots from the disk now: write it again"),
    }
}
