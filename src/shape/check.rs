//! File system checks: before mounting, as at a boot, and after unmounting: no output appears that is
//! not clean.

use std::{fs::File, path::Path, time::Duration};

use super::tool::{DEVICE, Tool};
use crate::{
    disk::{FsKind, Volume, partition::called},
    error::{Error, Kind, Result},
    event::Event,
    sys::loopdev::{LoopDevice, Window},
};

/// A program that checks a file system.
struct Checker {
    tool: Tool,
    /// The option to repair what is safe to repair.
    repair: &'static str,
    /// The options to look and not touch.
    look: &'static [&'static str],
}

const E2FSCK: Checker = Checker {
    tool: Tool {
        name: "e2fsck",
        processor: Duration::from_secs(300),
    },
    repair: "-p",
    look: &["-f", "-n", DEVICE],
};

const FSCK_VFAT: Checker = Checker {
    tool: Tool {
        name: "fsck.vfat",
        processor: Duration::from_secs(60),
    },
    repair: "-a",
    look: &["-n", DEVICE],
};

/// The checker for a file system.
fn checker(kind: FsKind) -> Option<&'static Checker> {
    match kind {
        FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => Some(&E2FSCK),
        kind if kind.is_fat() => Some(&FSCK_VFAT),
        // The others' checkers are not part of a base system, and their journals are replayed.
        _ => None,
    }
}

/// Makes sure that partition `number`, on `device`, can be mounted, as a boot of the image would:
/// with the checker that repairs what is safe to repair. Says so if there was something.
///
/// A clean ext4 is only asked for its state; a card that was pulled out leaves a FAT that is not
/// clean, and would stay so until the final check.
///
/// # Errors
/// [`Kind::Image`] when it cannot be repaired without a person's decisions, or not within the bounds; [`Kind::Host`] when
/// the checker is missing, or was killed.
pub fn at_boot(device: &LoopDevice, kind: FsKind, number: u32) -> Result<Option<Event>> {
    repair(device, kind, number, &[])
}

/// As [`at_boot`], but looks at all of an ext file system, also where that calls itself clean.
///
/// # Errors
/// As [`at_boot`].
pub fn thoroughly(device: &LoopDevice, kind: FsKind, number: u32) -> Result<Option<Event>> {
    match kind.is_fat() {
        true => repair(device, kind, number, &[]),
        false => repair(device, kind, number, &["-f"]),
    }
}

fn repair(device: &LoopDevice, kind: FsKind, number: u32, more: &[&str]) -> Result<Option<Event>> {
    let Some(checker) = checker(kind) else {
        return Ok(None);
    };
    let args = [&[checker.repair], more, &[DEVICE]].concat();
    let done = checker.tool.run(&args, device, number);
    let done =
        done.map_err(|error| damaged(checker, error, number, "repair a copy of the image"))?;
    match done.code {
        0 => Ok(None),
        // fsck's manual: errors corrected (1), and the system should be rebooted (2).
        1..=3 => Ok(Some(Event::Repaired(number))),
        _ => Err(damaged(
            checker,
            done.failure(),
            number,
            "repair a copy of the image",
        )),
    }
}

/// Checks each of the partitions `numbers` of `image` that has a checker. Nodes of loop devices are made in `nodes`.
///
/// # Errors
/// [`Kind::Image`] with the checker's findings; [`Kind::Host`] when the checker was killed.
pub fn at_end(image: &File, volumes: &[Volume], numbers: &[u32], nodes: &Path) -> Result<()> {
    for Volume { partition, fs } in volumes {
        let Some(checker) = fs.as_ref().and_then(|fs| checker(fs.kind)) else {
            continue;
        };
        if !numbers.contains(&partition.number) {
            continue;
        }
        let window = Window {
            start: partition.start,
            size: partition.size,
            read_only: true,
        };
        let device = LoopDevice::attach(image, window, nodes)?;
        let number = partition.number;
        let unpublished = |error| damaged(checker, error, number, "nothing was published");
        let done = checker.tool.run(checker.look, &device, number);
        let done = done.map_err(unpublished)?;
        // With -n fsck.vfat says 1 for what it would correct.
        if done.code != 0 {
            return Err(unpublished(done.failure()));
        }
    }
    Ok(())
}

/// `error`, with what to do if it is the image's.
fn damaged(checker: &Checker, error: Error, number: u32, so: &str) -> Error {
    match error.kind() {
        Kind::Image => error.hint(format!(
            "{} is damaged or too new for this {}; {so}",
            called(number),
            checker.tool.name
        )),
        _ => error,
    }
}
