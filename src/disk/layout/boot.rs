//! Boot partitions that the fstab does not name: which they are, and where they may belong.
//!
//! An image that was made for netboot names a server's directory in their place, and systems with systemd mount their
//! ESP without a line. What is written to /boot would stay in the root, where no firmware looks for it.

use std::path::{Path, PathBuf};

use super::Layout;
use crate::disk::{
    partition::PartitionType,
    probe::FsKind::{Ext2, Ext3, Ext4},
    volume::Volume,
};

/// A boot partition without a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Its number.
    pub partition: u32,
    /// Where it may belong, the likeliest first: a directory of the image that is there and empty.
    pub places: Vec<PathBuf>,
    /// Where a line of the fstab mounts something that is not in this image, with that line: there in any case.
    pub named: Option<(usize, PathBuf)>,
    /// Files of which it has one at least, or it is none.
    pub files: &'static [&'static str],
}

/// Types of gpt partitions (Discoverable Partitions Specification).
const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
/// That of a dos partition.
const DOS_ESP: u8 = 0xef;

/// What firmware looks for first: a Pi's, U-Boot, UEFI.
const OF_FIRMWARE: &[&str] = &[
    "config.txt",
    "cmdline.txt",
    "bootcode.bin",
    "EFI",
    "extlinux",
    "boot.scr",
    "uEnv.txt",
];
/// What boot loaders read.
const OF_LOADER: &[&str] = &[
    "extlinux",
    "grub",
    "grub2",
    "loader",
    "boot.scr",
    "armbianEnv.txt",
];

/// Where such a partition belongs, by what it is for.
const FIRMWARE: &[&str] = &["/boot/firmware", "/boot"];
const EFI: &[&str] = &["/boot/efi", "/efi", "/boot/firmware", "/boot"];
const LOADER: &[&str] = &["/boot"];

/// The boot partitions among `volumes` that neither `layout` mounts nor a line says to leave alone.
pub fn without_place(volumes: &[Volume], layout: &Layout) -> Vec<Boot> {
    let taken = |number: u32| {
        let left_alone = layout.skipped.iter().any(|s| s.partition == Some(number));
        left_alone || layout.mounts.iter().any(|m| m.partition == number)
    };
    let mut found: Vec<Boot> = Vec::new();
    for volume in volumes {
        let number = volume.partition.number;
        let Some((usual, files)) = purpose(volume).filter(|_| !taken(number)) else {
            continue;
        };
        let free = |at: &Path| {
            let mounted = layout.mounts.iter().any(|mount| mount.at == at);
            !mounted
                && !found
                    .iter()
                    .any(|boot| boot.named.as_ref().is_some_and(|(_, b)| b == at))
        };
        let named = layout.skipped.iter().find_map(|skipped| {
            let at = PathBuf::from(&skipped.at);
            let elsewhere = skipped.partition.is_none() && usual.contains(&&*skipped.at);
            (elsewhere && free(&at)).then_some((skipped.line, at))
        });
        let places = usual.iter().map(PathBuf::from);
        found.push(Boot {
            partition: number,
            places: places.filter(|place| free(place)).collect(),
            named,
            files,
        });
    }
    found
}

/// Where a partition like this belongs and what is on it, if it looks like one to boot from.
fn purpose(volume: &Volume) -> Option<(&'static [&'static str], &'static [&'static str])> {
    let fs = volume.fs.as_ref()?;
    let partition = &volume.partition;
    let is_esp = match &partition.type_ {
        PartitionType::Gpt(guid) => guid == ESP,
        PartitionType::Dos(number) => *number == DOS_ESP,
    };
    let names = [fs.label.as_deref(), partition.name.as_deref()];
    let named = names.into_iter().flatten().any(|name| {
        let name = name.to_ascii_lowercase();
        // Debian's is RASPIFIRM.
        ["boot", "firm", "efi", "esp"]
            .iter()
            .any(|part| name.contains(part))
    });
    // A Pi's firmware takes the first FAT that there is.
    let first = partition.number == 1;
    if fs.kind.is_fat() {
        let purpose = if is_esp { EFI } else { FIRMWARE };
        return (is_esp || named || first).then_some((purpose, OF_FIRMWARE));
    }
    let is_loaders = partition.type_ == PartitionType::Gpt(XBOOTLDR.into());
    let is_ext = matches!(fs.kind, Ext2 | Ext3 | Ext4);
    (is_ext && (named || is_loaders)).then_some((LOADER, OF_LOADER))
}
