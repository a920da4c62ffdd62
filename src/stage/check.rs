//! The file system check after unmounting: no output appears that is not clean.

use std::{ffi::OsString, fs::File, path::Path};

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

/// Checks each of the partitions `numbers` of `image` that has a checker.
///
/// # Errors
/// [`Kind::Image`] with the checker's findings; [`Kind::Host`] when the checker is missing, or killed.
pub fn run(dir: &Path, image: &File, volumes: &[Volume], numbers: &[u32]) -> Result<()> {
    for volume in volumes
        .iter()
        .filter(|v| numbers.contains(&v.partition.number))
    {
        let Some((name, options)) = volume.fs.as_ref().and_then(|fs| checker(fs.kind)) else {
            continue;
        };
        let window = Window {
            start: volume.partition.start,
            size: volume.partition.size,
            read_only: true,
        };
        let device = LoopDevice::attach(image, window, &nodes(dir))?;
        let program = find(name)?;
        let mut args = options.iter().map(OsString::from).collect::<Vec<_>>();
        args.push(device.node().into());
        let output = command::output(&program, &args)?;
        if output.status.code().is_none() {
            return Err(command::failure(Kind::Host, &program, &args, &output)
                .hint("did the host run out of memory? see the kernel's log"));
        }
        if !output.status.success() {
            return Err(
                command::failure(Kind::Image, &program, &args, &output).hint(format!(
                    "partition {} is damaged or too new for this {name}; nothing was published",
                    volume.partition.number
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
pub fn find(name: &str) -> Result<std::path::PathBuf> {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    which::which_in(name, Some(path), "/").map_err(|_| {
        Error::host(format!("{name} is not installed")).hint("install e2fsprogs and dosfstools")
    })
}
