//! File system checks: before mounting, as at a boot, and after unmounting: no output appears that is
//! not clean.

use std::{
    ffi::OsString, fs::File, os::unix::process::ExitStatusExt, path::PathBuf, time::Duration,
};

use nix::libc::SIGKILL;

use super::directory::nodes;
use crate::{
    disk::{FsKind, Volume, partition::called},
    error::{Error, Result},
    event::Event,
    sys::{
        bounded::{self, Bounds, Ended, NOBODY},
        command,
        loopdev::{LoopDevice, Window},
    },
};

/// A program that checks a file system. It can be made so that this runs for hours, takes all memory or prints
/// without end, so there are bounds.
struct Checker {
    name: &'static str,
    /// The option to repair what is safe to repair.
    repair: &'static str,
    /// The options to look and not touch.
    look: &'static [&'static str],
    /// How long it may compute. A sound file system of 64 GiB needs a small part of it.
    processor: Duration,
}

const E2FSCK: Checker = Checker {
    name: "e2fsck",
    repair: "-p",
    look: &["-f", "-n"],
    processor: Duration::from_secs(300),
};

const FSCK_VFAT: Checker = Checker {
    name: "fsck.vfat",
    repair: "-a",
    look: &["-n"],
    processor: Duration::from_secs(60),
};

/// How long a checker may take, and wait for a slow disk.
const TIME: Duration = Duration::from_secs(20 * 60);

/// How much memory a checker may use, in bytes.
const MEMORY: u64 = 1 << 30;

/// How much a checker may print, in bytes: some thousand lines.
const OUTPUT: usize = 128 << 10;

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
/// [`Kind::Image`](crate::error::Kind::Image) when it cannot be repaired without a person's decisions, or not
/// within the bounds; [`Kind::Host`](crate::error::Kind::Host) when the checker is missing, or was killed.
pub fn at_boot(device: &LoopDevice, kind: FsKind, number: u32) -> Result<Option<Event>> {
    let Some(checker) = checker(kind) else {
        return Ok(None);
    };
    let name = checker.name;
    match look(checker, &[checker.repair], device, number)? {
        Found::Nothing => Ok(None),
        Found::Repaired => Ok(Some(Event::Repaired(number))),
        Found::Damage(error) => Err(error.hint(format!(
            "{} is damaged or too new for this {name}; repair a copy of the image",
            called(number)
        ))),
    }
}

/// Checks each of the partitions `numbers` of `image` that has a checker.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) with the checker's findings;
/// [`Kind::Host`](crate::error::Kind::Host) when the checker was killed.
pub fn at_end(image: &File, volumes: &[Volume], numbers: &[u32]) -> Result<()> {
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
        let device = LoopDevice::attach(image, window, &nodes())?;
        let (name, number) = (checker.name, partition.number);
        if let Found::Damage(error) = look(checker, checker.look, &device, number)? {
            return Err(error.hint(format!(
                "{} is damaged or too new for this {name}; nothing was published",
                called(number)
            )));
        }
    }
    Ok(())
}

/// What a checker found.
enum Found {
    Nothing,
    Repaired,
    Damage(Error),
}

/// Runs `checker` on `device`, which shows partition `number`, without root's rights.
fn look(checker: &Checker, options: &[&str], device: &LoopDevice, number: u32) -> Result<Found> {
    let program = find(checker.name)?;
    let bounds = Bounds {
        time: TIME,
        processor: checker.processor,
        memory: MEMORY,
        output: OUTPUT,
    };
    let mut shown = String::new();
    let args = |path: OsString| {
        shown = path.to_string_lossy().into_owned();
        let options = options.iter().map(OsString::from);
        options.chain([path]).collect()
    };
    device.give_to(NOBODY)?;
    let ended = bounded::run(&program, args, device.file(), bounds);
    device.give_to(0)?;
    let Ended { how, said } = ended?;
    let partition = called(number);
    let said = said.trim().replace(&shown, &partition);
    let what = format!("{} {} of {partition}", program.display(), options.join(" "));
    let status = match how {
        Ok(status) => status,
        Err(over) => {
            let last = said.lines().next_back().unwrap_or_default();
            return Ok(Found::Damage(
                Error::image(format!("{what} {over}, so it was ended: ... {last}")).hint(
                    "no sound file system needs that much: do not trust this image, or repair a copy of it",
                ),
            ));
        }
    };
    let ended = format!("{what} ended with {status}: {said}");
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Found::Nothing),
        // fsck's manual: errors corrected (1), and the system should be rebooted (2). With -n
        // fsck.vfat says 1 for what it would correct.
        (Some(1..=3), _) if options == [checker.repair] => Ok(Found::Repaired),
        (Some(_), _) if said.to_lowercase().contains("memory") => {
            let hint = format!(
                "it may use {} MiB, and no sound file system needs as much: repair a copy of the image",
                MEMORY >> 20
            );
            Ok(Found::Damage(Error::image(ended).hint(hint)))
        }
        (Some(_), _) => Ok(Found::Damage(Error::image(ended))),
        (None, Some(SIGKILL)) => {
            Err(Error::host(ended).hint("did the host run out of memory? see the kernel's log"))
        }
        // It crashed on what it read.
        (None, _) => Ok(Found::Damage(Error::image(ended))),
    }
}

/// The path of the checker `name`; /sbin is not on every user's PATH.
///
/// # Errors
/// [`Kind::Host`](crate::error::Kind::Host) when it is not installed.
pub fn find(name: &str) -> Result<PathBuf> {
    let mut path = command::search_path();
    path.push(":/usr/sbin:/sbin");
    which::which_in(name, Some(path), "/").map_err(|_| {
        Error::host(format!("{name} is not installed")).hint("install e2fsprogs and dosfstools")
    })
}
