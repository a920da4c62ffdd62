//! Making a file system fill its partition, which has become larger.

use std::{fs::File, path::Path, time::Duration};

use super::{
    aside::Aside,
    check,
    tool::{DEVICE, Tool},
};
use crate::{
    disk::{FsKind, Volume},
    error::{Error, Result},
    event::Event,
    sys::loopdev::{LoopDevice, Window},
};

/// Moves blocks of ext2, ext3 and ext4.
pub(super) const RESIZE2FS: Tool = Tool {
    name: "resize2fs",
    processor: Duration::from_secs(600),
};

const RESIZE_F2FS: Tool = Tool {
    name: "resize.f2fs",
    processor: Duration::from_secs(300),
};

/// Makes the file system of `volume` fill its partition of `image`. `scratch` is a directory of ours. Returns what the
/// user should know.
///
/// # Errors
/// [`Kind::Image`](crate::error::Kind::Image) when the file system is damaged;
/// [`Kind::Host`](crate::error::Kind::Host) when this machine lacks what is needed for it.
pub fn fill(image: &File, volume: &Volume, scratch: &Path) -> Result<Option<Event>> {
    use FsKind::{Btrfs, Ext2, Ext3, Ext4, F2fs, Xfs};
    let number = volume.partition.number;
    let Some(kind) = volume.fs.as_ref().map(|fs| fs.kind) else {
        return Err(cannot(volume));
    };
    let window = Window {
        start: volume.partition.start,
        size: volume.partition.size,
        read_only: false,
    };
    let device = LoopDevice::attach(image, window, &scratch.join("dev"))?;
    match kind {
        Ext2 | Ext3 | Ext4 => {
            // resize2fs wants one that was looked at as a whole.
            let repaired = check::thoroughly(&device, kind, number)?;
            succeed(&RESIZE2FS, &[DEVICE], &device, number)?;
            Ok(repaired)
        }
        F2fs => {
            succeed(&RESIZE_F2FS, &[DEVICE], &device, number)?;
            Ok(None)
        }
        Btrfs => {
            let aside = Aside::mount(&device, kind, scratch)?;
            aside.run("btrfs", &["filesystem", "resize", "max"])?;
            aside.unmount()?;
            Ok(None)
        }
        Xfs => {
            let aside = Aside::mount(&device, kind, scratch)?;
            aside.run("xfs_growfs", &["-d"])?;
            aside.unmount()?;
            Ok(None)
        }
        _ => Err(cannot(volume)),
    }
}

/// Runs a tool that has nothing to say but 0.
pub(super) fn succeed(
    tool: &Tool,
    args: &[&str],
    device: &LoopDevice,
    number: u32,
) -> Result<String> {
    let done = tool.run(args, device, number)?;
    match done.code {
        0 => Ok(done.said),
        _ => Err(done.failure().hint(format!(
            "partition {number} is damaged or too new for this {}; repair a copy of the image",
            tool.name
        ))),
    }
}

fn cannot(volume: &Volume) -> Error {
    Error::image(format!(
        "the file system of partition {} cannot be made larger: it holds {}",
        volume.partition.number,
        volume.content()
    ))
}
