//! Making an image larger, and with it one of its partitions.

use std::{
    fmt,
    fs::File,
    io::{Read, Seek},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::table::{self, Editor};
use crate::{
    disk::{FsKind, Volume, partition::Table},
    error::{Context, Error, Kind, Result},
    sys::{
        programs,
        room::{self, Size},
    },
};

/// How the user writes it.
const FORMS: &str = "write it as 4G, the size that the image is to have, or as +1G, what is to be added; with :N behind \
                     it is partition N that grows";

/// How large an image is to be, and which partition gets what is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grow {
    to: Amount,
    /// The last one if `None`.
    partition: Option<u32>,
}

/// Bytes, in all or in addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Amount {
    Total(u64),
    More(u64),
}

impl FromStr for Grow {
    type Err = Error;

    /// Reads `SIZE` or `+SIZE`, with `:PARTITION` behind where it is meant.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage(format!("grow: {text} is not a size")).hint(FORMS);
        let (size, partition) = match text.split_once(':') {
            Some((size, number)) => (size, Some(number.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let to = match size.strip_prefix('+') {
            Some(more) => room::parse(more).map(Amount::More),
            None => room::parse(size).map(Amount::Total),
        };
        Ok(Grow {
            to: to.ok_or_else(wrong)?,
            partition,
        })
    }
}

/// What is going to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The image's size afterwards, in bytes.
    pub image: u64,
    /// The number of the partition that grows.
    pub partition: u32,
    /// Where it is to end, in bytes from the image's start.
    end: u64,
}

/// What to do to the image `name` that has `size` bytes, this `table` and these `volumes`, and had `original` bytes at
/// first; `None` if nothing is to be done. Nothing is touched.
///
/// # Errors
/// [`Kind::Usage`] with the figures, where that is no growth or no partition can take it.
pub fn plan(
    reader: &mut (impl Read + Seek),
    (table, volumes): (&Table, &[Volume]),
    (size, original): (u64, u64),
    wanted: Grow,
    name: &str,
) -> Result<Option<Plan>> {
    let editor = Editor::open(reader, table, size, name)?;
    let target = match wanted.to {
        Amount::Total(total) => total,
        Amount::More(more) => original.saturating_add(more),
    };
    // Whole sectors; a size that is no such number may be that of the image as it is.
    let image = match target == size {
        true => size,
        false => target / editor.sector() * editor.sector(),
    };
    if image < size {
        return Err(Error::usage(format!(
            "{name} cannot grow to {}: it has {} already",
            Size(target),
            Size(size)
        ))
        .hint(
            "ask for more, as in `image: {grow: 8G}`, or say how much is to be added, as in +1G; to make an image \
             smaller there is --shrink",
        ));
    }
    let volume = chosen(volumes, wanted.partition, name)?;
    let partition = &volume.partition;
    let (number, end) = (partition.number, partition.start + partition.size);
    can_grow(volume, name)?;
    let highest = editor.highest_end(number, image);
    if highest > end {
        enough(volume, highest - partition.start, name)?;
        editor.end_at(number, highest, image)?;
        return Ok(Some(Plan {
            image,
            partition: number,
            end: highest,
        }));
    }
    if image == size {
        return Ok(None);
    }
    let behind = volumes.iter().map(|volume| &volume.partition);
    let behind = behind.filter(|other| other.start >= end);
    Err(match behind.min_by_key(|other| other.start) {
        Some(next) => Error::usage(format!(
            "partition {number} of {name} cannot grow: partition {} begins right behind it",
            next.number
        ))
        .hint("what is added is behind the last partition, which is the one that grows if none is named"),
        None => Error::usage(format!(
            "{} more are not enough for partition {number} of {name} to grow",
            Size(image - size)
        ))
        .hint("ask for some MiB at least"),
    })
}

/// The partition that is to grow.
fn chosen<'a>(volumes: &'a [Volume], number: Option<u32>, name: &str) -> Result<&'a Volume> {
    let Some(number) = number else {
        let last = volumes.iter().max_by_key(|volume| volume.partition.start);
        return last.ok_or_else(|| Error::image(format!("{name} has no partition")));
    };
    let found = volumes.iter().find(|v| v.partition.number == number);
    found.ok_or_else(|| {
        let there = volumes.iter().map(|v| v.partition.number.to_string());
        let there = there.collect::<Vec<_>>().join(", ");
        Error::usage(format!("grow: {name} has no partition {number}"))
            .hint(format!("its partitions are {there}"))
    })
}

/// Whether there is a way to make the file system of `volume` larger, and this machine has the program for it.
fn can_grow(volume: &Volume, name: &str) -> Result<()> {
    use FsKind::{Btrfs, Ext2, Ext3, Ext4, F2fs, Xfs};
    let program = match volume.fs.as_ref().map(|fs| fs.kind) {
        Some(Ext2 | Ext3 | Ext4) => "resize2fs",
        Some(Btrfs) => "btrfs",
        Some(Xfs) => "xfs_growfs",
        Some(F2fs) => "resize.f2fs",
        _ => {
            return Err(Error::usage(format!(
                "partition {} of {name} cannot grow: it holds {}",
                volume.partition.number,
                volume.content()
            ))
            .hint(
                "what is added is behind the last partition; if an ext4, btrfs, xfs or f2fs has room behind it, name \
                 that one, as in --grow +1G:2",
            ));
        }
    };
    programs::find(program).map(drop)
}

/// What Linux wants a btrfs to have at least whose size is changed, in bytes (fs/btrfs/ioctl.c).
pub(super) const BTRFS_LEAST: u64 = 256 << 20;

/// Whether the file system of `volume` can be made to have `size` bytes.
fn enough(volume: &Volume, size: u64, name: &str) -> Result<()> {
    let is_btrfs = volume
        .fs
        .as_ref()
        .is_some_and(|fs| fs.kind == FsKind::Btrfs);
    if !is_btrfs || size >= BTRFS_LEAST {
        return Ok(());
    }
    Err(Error::usage(format!(
        "partition {} of {name} cannot have {}: Linux makes a btrfs no larger where it has less than {}",
        volume.partition.number,
        Size(size),
        Size(BTRFS_LEAST)
    ))
    .hint("ask for more"))
}

/// Makes the file and its table as large as `plan` says. The file system is still to fill its partition.
///
/// # Errors
/// [`Kind::Host`] with the figures, where the disk has less room than is added, or when it fails.
pub fn make_room(image: &File, table: &Table, plan: &Plan, name: &str) -> Result<()> {
    let failed = || format!("cannot make {name} larger");
    let size = image.metadata().context(Kind::Host, failed)?.len();
    let more = plan.image - size;
    // It takes no room yet, but who asks for it wants to fill it.
    if room::free(image).is_some_and(|free| free < more) {
        let what = format!("{name} cannot grow by {}", Size(more));
        return Err(Error::host(what).hint(room::hint(
            image,
            Some(more),
            "name another --output, or ask for less",
        )));
    }
    let editor = Editor::open(&mut &*image, table, size, name)?;
    let patches = editor.end_at(plan.partition, plan.end, plan.image)?;
    image.set_len(plan.image).context(Kind::Host, failed)?;
    table::write(image, &patches).context(Kind::Host, failed)
}

impl fmt::Display for Grow {
    /// As the user writes it, in bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Amount::Total(bytes) => write!(f, "{bytes}"),
            Amount::More(bytes) => write!(f, "+{bytes}"),
        }?;
        self.partition
            .map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_form() {
        let read = |text: &str| text.parse::<Grow>().map(|grow| grow.to_string());
        let gib = 1u64 << 30;
        for (text, bytes) in [
            ("4G", format!("{}", 4 * gib)),
            ("+1G", format!("+{gib}")),
            ("+1.5GiB:2", format!("+{}:2", gib + gib / 2)),
            ("1048576", "1048576".into()),
            ("512m", format!("{}", gib / 2)),
        ] {
            assert_eq!(read(text).unwrap(), bytes, "{text}");
        }
        for wrong in [
            "",
            "+",
            "G",
            "-1G",
            "4X",
            "4G:",
            "4G:x",
            "1e9G",
            "99999999999T",
            "4 G:2:3",
        ] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{wrong}");
            assert!(error.hint_text().unwrap().contains("+1G"), "{error}");
        }
    }
}
