//! File system checks: before mounting, as at a boot, and after unmounting: no output appears that is
//! not clean.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use super::directory::nodes;
use crate::{
    disk::{FsKind, Volume},
    error::{Error, Kind, Result},
    event::Event,
    sys::{
        command,
        loopdev::{LoopDevice, Window},
    },
};

/// The checker for a file system, and the arguments that make it look and not touch.
fn checker(kind: FsKind) -> Option<(&'static str, &'static [&'static str])> {
    match kind {
        FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => Some(("e2fsck", &["-f", "-n"])),
        kind if kind.is_fat() => Some(("fsck.vfat", &["-n"])),
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
/// [`Kind::Image`] when it cannot be repaired without a person's decisions; [`Kind::Host`] when the
/// checker is missing, or was killed.
pub fn at_boot(device: &Path, kind: FsKind, number: u32) -> Result<Option<Event>> {
    let Some((name, _)) = checker(kind) else {
        return Ok(None);
    };
    let repair = if kind.is_fat() { "-a" } else { "-p" };
    match look(name, &[repair], device)? {
        Found::Nothing => Ok(None),
        Found::Repaired => Ok(Some(Event::Repaired(number))),
        Found::Damage(error) => Err(error.hint(format!(
            "partition {number} is damaged or too new for this {name}; repair a copy of the image"
        ))),
    }
}

/// Checks each of the partitions `numbers` of `image` that has a checker.
///
/// # Errors
/// [`Kind::Image`] with the checker's findings; [`Kind::Host`] when the checker was killed.
pub fn at_end(image: &File, volumes: &[Volume], numbers: &[u32]) -> Result<()> {
    for Volume { partition, fs } in volumes {
        let Some((name, options)) = fs.as_ref().and_then(|fs| checker(fs.kind)) else {
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
        if let Found::Damage(error) = look(name, options, device.node())? {
            return Err(error.hint(format!(
                "partition {} is damaged or too new for this {name}; nothing was published",
                partition.number
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

/// Runs the checker `name` on `device`.
fn look(name: &str, options: &[&str], device: &Path) -> Result<Found> {
    let program = find(name)?;
    let options = options.iter().map(OsString::from);
    let args = options.chain([device.into()]).collect::<Vec<_>>();
    let output = command::output(&program, &args)?;
    match output.status.code() {
        Some(0) => Ok(Found::Nothing),
        // fsck's manual: errors corrected (1), and the system should be rebooted (2). With -n
        // fsck.vfat says 1 for what it would correct.
        Some(1..=3) if !args.contains(&"-n".into()) => Ok(Found::Repaired),
        Some(_) => Ok(Found::Damage(command::failure(
            Kind::Image,
            &program,
            &args,
            &output,
        ))),
        None => Err(command::failure(Kind::Host, &program, &args, &output)
            .hint("did the host run out of memory? see the kernel's log")),
    }
}

/// The path of the checker `name`; /sbin is not on every user's PATH.
///
/// # Errors
/// [`Kind::Host`] when it is not installed.
pub fn find(name: &str) -> Result<PathBuf> {
    let mut path = command::search_path();
    path.push(":/usr/sbin:/sbin");
    which::which_in(name, Some(path), "/").map_err(|_| {
        Error::host(format!("{name} is not installed")).hint("install e2fsprogs and dosfstools")
    })
}
