//! What a machine with this image calls its disk, and the partitions on it.

use serde::{Deserialize, Serialize};

use super::{
    fstab::{self, Spec},
    partition::{PartitionType, WHOLE},
    volume::Volume,
};

/// The name of a disk below /dev, such as `mmcblk0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskName(String);

impl DiskName {
    /// The likeliest one, before anything in the image can be read: cards have a dos table.
    pub fn likely(volumes: &[Volume]) -> Self {
        let gpt = |volume: &Volume| matches!(volume.partition.type_, PartitionType::Gpt(_));
        Self::by_default(!volumes.iter().any(gpt))
    }

    /// As the image's fstab names it, or else its kernel arguments; and if neither does, the card of a Pi, or the
    /// disk of a virtual machine.
    pub fn of(fstab: &str, arguments: &str, pi: bool) -> Self {
        let mounted = fstab::parse(fstab)
            .into_iter()
            .filter(|entry| entry.file == "/")
            .find_map(|entry| match entry.spec {
                Spec::Device(path) => disk_of(&path),
                _ => None,
            });
        let root = |word: &str| disk_of(word.strip_prefix("root=")?);
        mounted
            .or_else(|| arguments.split_whitespace().rev().find_map(root))
            .map_or_else(|| Self::by_default(pi), DiskName)
    }

    fn by_default(card: bool) -> Self {
        DiskName(if card { "mmcblk0" } else { "vda" }.into())
    }

    /// The disk's.
    pub fn disk(&self) -> &str {
        &self.0
    }

    /// That of a partition; of the [`WHOLE`] it is the disk's.
    pub fn partition(&self, number: u32) -> String {
        if number == WHOLE {
            return self.0.clone();
        }
        let between = match self.0.ends_with(|last: char| last.is_ascii_digit()) {
            true => "p",
            false => "",
        };
        format!("{}{between}{number}", self.0)
    }
}

/// The names below /dev/disk that a partition has beside its own, as udev makes them.
pub fn links(volume: &Volume) -> Vec<String> {
    let fs = volume.fs.as_ref();
    let partition = &volume.partition;
    [
        ("by-uuid", fs.and_then(|fs| fs.uuid.as_ref())),
        ("by-label", fs.and_then(|fs| fs.label.as_ref())),
        ("by-partuuid", partition.uuid.as_ref()),
        ("by-partlabel", partition.name.as_ref()),
    ]
    .into_iter()
    .filter_map(|(folder, name)| {
        let name = name.filter(|name| !matches!(name.as_str(), "" | "." | ".."))?;
        Some(format!("{folder}/{}", escape(name)))
    })
    .collect()
}

/// What udev notes of a partition and the file system on it, as far as tools ask it.
pub fn properties(volume: &Volume) -> Vec<(&'static str, String)> {
    let fs = volume.fs.as_ref();
    let partition = &volume.partition;
    let kind = fs.map(|fs| fs.kind.name().to_owned());
    let uuid = fs.and_then(|fs| fs.uuid.as_ref()).map(|uuid| escape(uuid));
    let label = fs.and_then(|fs| fs.label.as_ref());
    [
        ("ID_FS_TYPE", kind),
        ("ID_FS_UUID", uuid.clone()),
        ("ID_FS_UUID_ENC", uuid),
        ("ID_FS_LABEL_ENC", label.map(|label| escape(label))),
        (
            "ID_PART_ENTRY_NUMBER",
            (partition.number != WHOLE).then(|| partition.number.to_string()),
        ),
        (
            "ID_PART_ENTRY_UUID",
            partition.uuid.as_ref().map(|uuid| escape(uuid)),
        ),
        (
            "ID_PART_ENTRY_NAME",
            partition.name.as_ref().map(|name| escape(name)),
        ),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect()
}

/// udev writes what is odd in a file's name as `\x20`.
fn escape(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii();
    let each = |c: char| match plain(c) {
        true => c.to_string(),
        false => format!("\\x{:02x}", c as u32),
    };
    name.chars().map(each).collect()
}

/// The longest name of a disk (DISK_NAME_LEN).
const MAX_NAME: usize = 31;

/// The disk of the partition `path`, if it may be a machine's: not what some build left behind.
fn disk_of(path: &str) -> Option<String> {
    let (disk, _) = split(path)?;
    let usual = disk.len() <= MAX_NAME && disk.bytes().all(|b| b.is_ascii_alphanumeric());
    (usual && !disk.starts_with("loop")).then(|| disk.to_owned())
}

/// Splits `/dev/sda1` into `sda` and 1, `/dev/mmcblk0p2` into `mmcblk0` and 2; `/dev/sda` is the [`WHOLE`] of `sda`.
pub(super) fn split(path: &str) -> Option<(&str, u32)> {
    let name = path.strip_prefix("/dev/")?;
    if is_disk(name) {
        return Some((name, WHOLE));
    }
    let disk = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[disk.len()..].parse().ok().filter(|&n| n > 0)?;
    // A disk whose name ends in a digit has a `p` between; others have not.
    let disk = match disk.strip_suffix('p') {
        Some(before) if before.ends_with(|c: char| c.is_ascii_digit()) => before,
        _ => disk,
    };
    is_disk(disk).then_some((disk, number))
}

/// Whether the kernel gives such names to disks: `sda`, `mmcblk0`, `nvme0n1`.
fn is_disk(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let after = |prefixes: &[&str]| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    after(&["mmcblk", "loop"]).is_some_and(digits)
        || after(&["nvme"])
            .and_then(|rest| rest.split_once('n'))
            .is_some_and(|(controller, space)| digits(controller) && digits(space))
        || after(&["sd", "vd", "xvd", "hd"]).is_some_and(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{FsKind, partition::Partition, probe::FileSystem};

    #[test]
    fn names_of_partitions() {
        assert_eq!(split("/dev/sda1"), Some(("sda", 1)));
        assert_eq!(split("/dev/mmcblk0p12"), Some(("mmcblk0", 12)));
        assert_eq!(split("/dev/nvme0n1p2"), Some(("nvme0n1", 2)));
        for disk in ["sda", "xvdb", "mmcblk0", "nvme0n1", "loop0"] {
            assert_eq!(split(&format!("/dev/{disk}")), Some((disk, WHOLE)));
        }
        for other in [
            "/dev/mmcblk",
            "/dev/mmcblk0boot0",
            "/dev/nvme0",
            "/dev/mapper/a1",
            "/dev/root",
            "/dev/sda0",
            "sda1",
        ] {
            assert_eq!(split(other), None, "{other}");
        }
    }

    #[test]
    fn the_image_says_what_its_disk_is_called() {
        let name =
            |fstab: &str, arguments: &str, pi| DiskName::of(fstab, arguments, pi).partition(2);
        let label = "LABEL=writable / ext4\n/dev/sda1 /boot vfat\n";
        assert_eq!(name(label, "root=LABEL=writable", true), "mmcblk0p2");
        assert_eq!(name(label, "", false), "vda2");
        assert_eq!(
            name(label, "quiet root=/dev/nvme0n1p2 ro", true),
            "nvme0n1p2"
        );
        assert_eq!(name("/dev/sda2 / ext4", "root=/dev/vda1", true), "sda2");
        assert_eq!(name("/dev/vdb / ext4", "", false), "vdb2");
        // What is not a disk of the machine's own says nothing.
        assert_eq!(name("/dev/rbd0 / ext4", "root=/dev/nfs", true), "mmcblk0p2");
        assert_eq!(
            name("/dev/loop0p1 / ext4", "root=/dev/sd\u{1b}a1", false),
            "vda2"
        );
    }

    #[test]
    fn links_are_as_udev_makes_them() {
        let mut volume = Volume {
            partition: Partition {
                number: 1,
                start: 0,
                size: 1,
                type_: PartitionType::Dos(0xc),
                uuid: Some("0f2c9a51-01".into()),
                name: None,
            },
            fs: Some(FileSystem {
                kind: FsKind::Fat32,
                label: Some("ä b/../c".into()),
                uuid: Some("5F0C-8A2E".into()),
            }),
        };
        assert_eq!(
            links(&volume),
            [
                "by-uuid/5F0C-8A2E",
                "by-label/ä\\x20b\\x2f..\\x2fc",
                "by-partuuid/0f2c9a51-01"
            ]
        );
        let value = |key| {
            let found = properties(&volume)
                .into_iter()
                .find(|(name, _)| *name == key);
            found.map(|(_, value)| value)
        };
        assert_eq!(value("ID_FS_TYPE").as_deref(), Some("vfat"));
        assert_eq!(
            value("ID_FS_LABEL_ENC").as_deref(),
            Some("ä\\x20b\\x2f..\\x2fc")
        );
        assert_eq!(value("ID_PART_ENTRY_NAME"), None);
        volume.fs.as_mut().unwrap().label = Some("..".into());
        volume.partition.uuid = None;
        assert_eq!(links(&volume), ["by-uuid/5F0C-8A2E"]);
    }
}
