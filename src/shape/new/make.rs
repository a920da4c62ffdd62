//! The table and the file systems of a new image, by the programs for them.

use std::{ffi::OsString, fs::File, os::fd::AsRawFd, path::Path, time::Duration};

use super::{
    declared::FileSystem,
    plan::{Part, Plan},
};
use crate::{
    error::{Context, Kind, Result},
    sys::{
        command,
        loopdev::{LoopDevice, Window},
        programs,
    },
};

/// How long making a file system may take: those that write all of their tables take some seconds, on a slow disk more.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Has sfdisk write the table of `plan` into the empty file `image`.
///
/// # Errors
/// [`Kind::Usage`] with what sfdisk says of it; [`Kind::Host`] when it is missing.
pub fn write_table(image: &File, plan: &Plan) -> Result<()> {
    image.set_len(plan.size).context(Kind::Host, || {
        "cannot make the image's file that large".into()
    })?;
    let program = programs::find("sfdisk")?;
    // Of our own, without what a stranger has written.
    let path = format!("/proc/{}/fd/{}", std::process::id(), image.as_raw_fd());
    let words = [
        "--quiet",
        "--no-reread",
        "--no-tell-kernel",
        "--wipe",
        "never",
        &path,
    ];
    let args = words.map(Into::into);
    let output = command::output_of(&program, &args, plan.script.as_bytes())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(command::failure(Kind::Usage, &program, &args, &output)
            .hint("is a type or a start in image.new wrong?")),
    }
}

/// Makes the file system of `part` in `image`. `scratch` is a directory of ours.
///
/// # Errors
/// [`Kind::Image`] with what the program says; [`Kind::Host`] when it is missing.
pub fn make(image: &File, part: &Part, scratch: &Path) -> Result<()> {
    let Some((name, args)) = command_of(part) else {
        return Ok(());
    };
    let program = programs::find(name)?;
    let window = Window {
        start: part.start,
        size: part.size,
        read_only: false,
    };
    let device = LoopDevice::attach(image, window, &scratch.join("dev"))?;
    // It reads nothing but zeros, and mkfs.xfs needs root's rights to set the size of blocks.
    let args = args.into_iter().map(OsString::from);
    let args: Vec<OsString> = args.chain([device.node().into()]).collect();
    let output = command::output_within(LIMIT, &program, &args)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(command::failure(Kind::Image, &program, &args, &output)
            .of(&format!("partition {}", part.number))
            .hint("are its size, label and options in image.new right?")),
    }
}

impl Plan {
    /// The programs that making it needs.
    pub fn programs(&self) -> Vec<&'static str> {
        let made = self
            .parts
            .iter()
            .filter_map(command_of)
            .map(|(name, _)| name);
        made.chain(["sfdisk", "tar"]).collect()
    }
}

/// The program that makes the file system of `part`, and its arguments but for the device.
fn command_of(part: &Part) -> Option<(&'static str, Vec<String>)> {
    // FAT's own field for what is before it on the disk, in sectors.
    let hidden = (part.start / 512).to_string();
    let (name, fixed, label): (_, &[&str], _) = match part.filesystem {
        FileSystem::Ext2 => ("mke2fs", &["-q", "-F", "-t", "ext2"], "-L"),
        FileSystem::Ext3 => ("mke2fs", &["-q", "-F", "-t", "ext3"], "-L"),
        FileSystem::Ext4 => ("mke2fs", &["-q", "-F", "-t", "ext4"], "-L"),
        FileSystem::Vfat => ("mkfs.vfat", &["-I", "--mbr=n", "-h", &hidden], "-n"),
        FileSystem::Btrfs => ("mkfs.btrfs", &["-q", "-f"], "-L"),
        FileSystem::Xfs => ("mkfs.xfs", &["-q", "-f"], "-L"),
        FileSystem::F2fs => ("mkfs.f2fs", &["-q", "-f"], "-l"),
        FileSystem::Swap => ("mkswap", &[], "-L"),
        FileSystem::None => return None,
    };
    let named = part
        .label
        .iter()
        .flat_map(|text| [label.to_owned(), text.clone()]);
    let args = fixed.iter().map(|word| (*word).to_owned()).chain(named);
    Some((name, args.chain(part.options.iter().cloned()).collect()))
}
