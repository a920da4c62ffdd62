//! The image's disk as its programs find it: what it is called, and devices to read it by.

use std::{fs::File, path::Path};

use super::{facts, partition::Mounted};
use crate::{
    chroot::{disk, filesystems},
    disk::{DiskName, Volume, names, partition::WHOLE},
    error::{Context, Kind, Result},
    sys::{
        inroot::{Root, path_of},
        loopdev::{LoopDevice, Window},
    },
};

/// By these files it is a Pi's.
const OF_A_PI: [&str; 2] = ["boot/firmware/config.txt", "boot/config.txt"];
/// More partitions than a system uses; each shown one takes a loop device.
const MAX_PARTITIONS: usize = 16;

/// What a machine with the image that is mounted at `root` calls its disk.
pub fn name(root: &Root) -> DiskName {
    // Where it cannot be read, others say so.
    let fstab = facts::fstab(root).unwrap_or_default();
    let pi = OF_A_PI.iter().any(|file| root.is_file(file.as_ref()));
    DiskName::of(&fstab, &filesystems::boot_arguments(root), pi)
}

/// Attaches devices that show the disk of `image` and its partitions, read-only, with nodes in `nodes`. They are
/// there for as long as they are kept.
pub fn show(
    image: &File,
    volumes: &[Volume],
    mounted: &[Mounted],
    name: &DiskName,
    nodes: &Path,
) -> Result<(disk::Disk, Vec<LoopDevice>)> {
    let failed = || "cannot open the image for reading".to_owned();
    // A loop device of a file that is open for reading alone stays read-only whatever is asked of it.
    let image = File::open(path_of(image)).context(Kind::Host, failed)?;
    let size = image.metadata().context(Kind::Host, failed)?.len();
    let mut devices = Vec::new();
    let mut attach = |name: String, start, size, volume: Option<&Volume>| -> Result<disk::Device> {
        let window = Window {
            start,
            size,
            read_only: true,
        };
        let device = LoopDevice::attach(&image, window, nodes)?;
        let properties = volume.into_iter().flat_map(names::properties);
        let mounted = volume.and_then(|volume| {
            let number = volume.partition.number;
            mounted.iter().find(|mounted| mounted.number == number)
        });
        let shown = disk::Device {
            name,
            number: device.number(),
            node: device.node().to_owned(),
            size,
            links: volume.map(names::links).unwrap_or_default(),
            properties: properties
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            mounted: mounted.and_then(Mounted::device),
        };
        devices.push(device);
        Ok(shown)
    };
    let is_whole = |volume: &&Volume| volume.partition.number == WHOLE;
    let on_whole = volumes.iter().find(is_whole);
    let whole = attach(name.disk().to_owned(), 0, size, on_whole)?;
    let mut partitions = Vec::new();
    let shown = volumes.iter().filter(|volume| !is_whole(volume));
    for volume in shown.take(MAX_PARTITIONS) {
        let partition = &volume.partition;
        let (number, start) = (partition.number, partition.start);
        let called = name.partition(number);
        partitions.push(disk::Partition {
            device: attach(called, start, partition.size, Some(volume))?,
            number,
            start,
        });
    }
    Ok((disk::Disk { whole, partitions }, devices))
}
