//! Making an image as small as the file system of its last partition allows.

use std::{fs::File, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    aside::Aside,
    check,
    fill::{RESIZE2FS, succeed},
    grow::BTRFS_LEAST,
    table::{self, Editor},
    tool::DEVICE,
};
use crate::{
    disk::{FsKind, Slice, Volume, partition::Table, probe::ext},
    error::{Context, Error, Kind, Result},
    sys::{
        loopdev::{LoopDevice, Window},
        programs,
    },
};

/// Partitions end at a multiple of this, in bytes, as tools make them.
const GRAIN: u64 = 1 << 20;

/// How often a file system is asked for less: moving what it has makes room for moving more.
const ROUNDS: usize = 4;

/// How much stays free, in bytes: enough for a first boot, which makes the file system fill its card.
pub const MARGIN: u64 = 64 << 20;

/// A file system that is to be made small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrink {
    /// The partition that it is on.
    pub volume: Volume,
    /// How much is to stay free in it, in bytes.
    pub margin: u64,
}

/// The partition of the image `name` that can be made smaller: the last one, if this machine has what its file system
/// needs for that.
///
/// # Errors
/// [`Kind::Usage`] with what the last partition holds; [`Kind::Host`] when a program is missing.
pub fn last<'a>(volumes: &'a [Volume], name: &str) -> Result<&'a Volume> {
    use FsKind::{Btrfs, Ext2, Ext3, Ext4};
    let last = volumes.iter().max_by_key(|volume| volume.partition.start);
    let last = last.ok_or_else(|| Error::image(format!("{name} has no partition")))?;
    let program = match last.fs.as_ref().map(|fs| fs.kind) {
        Some(Ext2 | Ext3 | Ext4) => "resize2fs",
        Some(Btrfs) => "btrfs",
        _ => {
            return Err(Error::usage(format!(
                "{name} cannot be made smaller: its last partition, {}, holds {}",
                last.partition.number,
                last.content()
            ))
            .hint("leave out --shrink: only an ext2, ext3, ext4 or btrfs at the end can give room back"));
        }
    };
    programs::find(program)?;
    Ok(last)
}

/// Makes the file system small, in its partition of `image`, and discards what is free in it. `scratch` is a directory of
/// ours. Returns the size that its partition can have, in bytes.
///
/// # Errors
/// [`Kind::Image`] when the file system is damaged.
pub fn shrink(image: &File, wanted: &Shrink, scratch: &Path) -> Result<u64> {
    let Shrink { volume, margin } = wanted;
    let partition = &volume.partition;
    let kind = volume.fs.as_ref().map(|fs| fs.kind);
    let kind = kind.ok_or_else(|| Error::other("a partition to shrink has no file system"))?;
    let window = Window {
        start: partition.start,
        size: partition.size,
        read_only: false,
    };
    let device = LoopDevice::attach(image, window, &scratch.join("dev"))?;
    // Where the partition would end, for a file system of so many bytes.
    let fitted = |bytes: u64| {
        let end = (partition.start + bytes).next_multiple_of(GRAIN);
        (end - partition.start).min(partition.size)
    };
    let size = match kind {
        FsKind::Btrfs => {
            let aside = Aside::mount(&device, kind, scratch)?;
            let size = shrink_btrfs(&aside, *margin, fitted)?;
            aside.discard()?;
            aside.unmount()?;
            size
        }
        _ => {
            let number = partition.number;
            check::thoroughly(&device, kind, number)?;
            let size = || ext_size(image, volume);
            let mut least = size()?;
            for _ in 0..ROUNDS {
                succeed(&RESIZE2FS, &["-M", DEVICE], &device, number)?;
                let now = size()?;
                if now >= least {
                    break;
                }
                least = now;
            }
            let fitted = fitted(least.saturating_add(*margin));
            // It counts in sectors.
            let sectors = format!("{}s", fitted / 512);
            succeed(&RESIZE2FS, &[DEVICE, &sectors], &device, number)?;
            let aside = Aside::mount(&device, kind, scratch)?;
            aside.discard()?;
            aside.unmount()?;
            fitted
        }
    };
    drop(device);
    let mut smaller = volume.clone();
    smaller.partition.size = size;
    check::at_end(image, &[smaller], &[partition.number], &scratch.join("dev"))?;
    Ok(size)
}

fn shrink_btrfs(aside: &Aside, margin: u64, fitted: impl Fn(u64) -> u64) -> Result<u64> {
    let mut size = None;
    for _ in 0..ROUNDS {
        let said = aside.run("btrfs", &["inspect-internal", "min-dev-size"])?;
        // "96468992 bytes (92.00MiB)"
        let least = said
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        let least = least
            .ok_or_else(|| Error::host(format!("btrfs did not say how small it can be: {said}")))?;
        let target = fitted(least.saturating_add(margin).max(BTRFS_LEAST));
        if size.is_some_and(|size| target >= size) {
            break;
        }
        let wanted = target.to_string();
        match aside.run("btrfs", &["filesystem", "resize", &wanted]) {
            Ok(_) => size = Some(target),
            // What it says is a guess, and a first step stays.
            Err(error) if size.is_none() => return Err(error),
            Err(_) => break,
        }
    }
    size.ok_or_else(|| Error::other("btrfs was never asked"))
}

/// How many bytes the ext file system of `volume` has now.
fn ext_size(image: &File, volume: &Volume) -> Result<u64> {
    let partition = &volume.partition;
    let mut slice = Slice::new(image, partition.start, partition.size);
    ext::size(&mut slice).ok_or_else(|| {
        Error::image(format!(
            "partition {} has no ext file system any more",
            partition.number
        ))
    })
}

/// Has the last partition, of this `number`, have `size` bytes, and the image `name` end behind it. Returns the image's
/// size.
///
/// # Errors
/// [`Kind::Host`] when the disk fails.
pub fn cut(image: &File, table: &Table, number: u32, size: u64, name: &str) -> Result<u64> {
    let failed = || format!("cannot make {name} smaller");
    let had = image.metadata().context(Kind::Host, failed)?.len();
    let found = table.partitions.iter().find(|p| p.number == number);
    let start = found.map(|partition| partition.start);
    let start = start.ok_or_else(|| Error::other(format!("partition {number} is gone")))?;
    let editor = Editor::open(&mut &*image, table, had, name)?;
    let smallest = editor.smallest_image(start + size).min(had);
    let patches = editor.end_at(number, start + size, smallest)?;
    table::write(image, &patches).context(Kind::Host, failed)?;
    image.set_len(smallest).context(Kind::Host, failed)?;
    Ok(smallest)
}
