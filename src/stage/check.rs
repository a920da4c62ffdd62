//! The file system check after unmounting: no output appears that is not clean.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use super::mounts::nodes;
use crate::{
    disk::{FsKind, Volume},
    error::{Error, Kind, Result},
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
/// [`Kind::Image`] when it cannot be repaired without a person's decisions.
pub fn at_boot(device: &Path, kind: FsKind, number: u32) -> Result<Option<String>> {
    let Some((name, _)) = checker(kind) else {
        return Ok(None);
    };
    let program = find(name)?;
    let repair = if kind.is_fat() { "-a" } else { "-p" };
    let args = [OsString::from(repair), device.into()];
    let output = command::output(&program, &args)?;
    match output.status.code() {
        Some(0) => Ok(None),
        // fsck's manual: errors corrected (1), and the system should be rebooted (2).
        Some(1..=3) => Ok(Some(format!(
            "the file system of partition {number} was not clean and has been repaired"
        ))),
        _ => Err(command::failure(Kind::Image, &program, &args, &output).hint(format!(
            "partition {number} is damaged or too new for this {name}; repair a copy of the image"
        ))),
    }
}

/// The partitions `numbers` that have a checker, with its path and arguments.
///
/// # Errors
/// [`Kind::Host`] when a checker is missing: to be found out before any work begins.
pub fn plan<'a>(volumes: &'a [Volume], numbers: &[u32]) -> Result<Vec<Check<'a>>> {
    let wanted = volumes
        .iter()
        .filter(|v| numbers.contains(&v.partition.number));
    let checks = wanted.filter_map(|volume| {
        let (name, options) = checker(volume.fs.as_ref()?.kind)?;
        let check = |program| Check {
            volume,
            name,
            program,
            options,
        };
        Some(find(name).map(check))
    });
    checks.collect()
}

/// One check that is to be made.
#[derive(Debug)]
pub struct Check<'a> {
    volume: &'a Volume,
    name: &'static str,
    program: PathBuf,
    options: &'static [&'static str],
}

/// Makes the checks of `image`.
///
/// # Errors
/// [`Kind::Image`] with the checker's findings; [`Kind::Host`] when the checker was killed.
pub fn run(dir: &Path, image: &File, checks: &[Check]) -> Result<()> {
    for check in checks {
        let partition = &check.volume.partition;
        let window = Window {
            start: partition.start,
            size: partition.size,
            read_only: true,
        };
        let device = LoopDevice::attach(image, window, &nodes(dir))?;
        let options = check.options.iter().map(OsString::from);
        let args = options
            .chain([device.node().into()])
            .collect::<Vec<OsString>>();
        let output = command::output(&check.program, &args)?;
        if output.status.code().is_none() {
            return Err(command::failure(Kind::Host, &check.program, &args, &output)
                .hint("did the host run out of memory? see the kernel's log"));
        }
        if !output.status.success() {
            return Err(
                command::failure(Kind::Image, &check.program, &args, &output).hint(format!(
                    "partition {} is damaged or too new for this {}; nothing was published",
                    partition.number, check.name
                )),
            );
        }
    }
    Ok(())
}

/// The path of the checker `name`; /sbin is not on every user's PATH.
///
/// # Errors
/// [`Kind::Host`] when it is not installed.
pub fn find(name: &str) -> Result<PathBuf> {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    which::which_in(name, Some(path), "/").map_err(|_| {
        Error::host(format!("{name} is not installed")).hint("install e2fsprogs and dosfstools")
    })
}
