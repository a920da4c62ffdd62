//! The table and the file systems of a new image, by the programs for them.

use std::{fs::File, os::fd::AsRawFd, path::Path, time::Duration};

use super::{
    declared::FileSystem,
    plan::{Part, Plan},
};
use crate::{
    error::{Context, Kind, Result},
    shape::tool::{DEVICE, Tool},
    sys::{
        command,
        loopdev::{LoopDevice, Window},
        programs,
    },
};

/// How long making a file system may compute: those that write all of their tables take some seconds.
const PROCESSOR: Duration = Duration::from_secs(120);

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
    let Some((tool, args)) = command_of(part) else {
        return Ok(());
    };
    let window = Window {
        start: part.start,
        size: part.size,
        read_only: false,
    };
    let device = LoopDevice::attach(image, window, &scratch.join("dev"))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = tool.run(&args, &device, part.number)?;
    match done.code {
        0 => Ok(()),
        _ => Err(done
            .failure()
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
            .map(|(tool, _)| tool.name);
        made.chain(["sfdisk", "tar"]).collect()
    }
}

/// The program that makes the file system of `part`, and its arguments.
fn command_of(part: &Part) -> Option<(Tool, Vec<String>)> {
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
    let tool = Tool {
        name,
        processor: PROCESSOR,
    };
    let named = part
        .label
        .iter()
        .flat_map(|text| [label.to_owned(), text.clone()]);
    let args = fixed.iter().map(|word| (*word).to_owned()).chain(named);
    let args = args
        .chain(part.options.iter().cloned())
        .chain([DEVICE.to_owned()]);
    Some((tool, args.collect()))
}
