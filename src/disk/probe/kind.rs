//! The kinds of file systems that are known, and what is said about one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // each is named after itself
pub enum FsKind {
    Ext2,
    Ext3,
    Ext4,
    Fat12,
    Fat16,
    Fat32,
    ExFat,
    Ntfs,
    Xfs,
    Btrfs,
    F2fs,
    Squashfs,
    Erofs,
    Iso9660,
    Swap,
    Luks,
    Lvm,
}

impl FsKind {
    /// The name `blkid` gives it (`TYPE=`).
    pub fn name(self) -> &'static str {
        match self {
            FsKind::Ext2 => "ext2",
            FsKind::Ext3 => "ext3",
            FsKind::Ext4 => "ext4",
            FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32 => "vfat",
            FsKind::ExFat => "exfat",
            FsKind::Ntfs => "ntfs",
            FsKind::Xfs => "xfs",
            FsKind::Btrfs => "btrfs",
            FsKind::F2fs => "f2fs",
            FsKind::Squashfs => "squashfs",
            FsKind::Erofs => "erofs",
            FsKind::Iso9660 => "iso9660",
            FsKind::Swap => "swap",
            FsKind::Luks => "crypto_LUKS",
            FsKind::Lvm => "LVM2_member",
        }
    }

    /// What it is, in words.
    pub fn described(self) -> &'static str {
        match self {
            FsKind::Luks => "LUKS, which is encrypted",
            FsKind::Lvm => "a part of an LVM volume group",
            FsKind::Swap => "swap space",
            FsKind::Squashfs => "a squashfs, which cannot be changed",
            FsKind::Erofs => "an erofs, which cannot be changed",
            FsKind::Iso9660 => "an ISO 9660 file system, as a CD has, which cannot be changed",
            FsKind::Ext2 => "an ext2 file system",
            FsKind::Ext3 => "an ext3 file system",
            FsKind::Ext4 => "an ext4 file system",
            FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32 => "a FAT file system",
            FsKind::ExFat => "an exFAT file system",
            FsKind::Ntfs => "an NTFS file system",
            FsKind::Xfs => "an XFS file system",
            FsKind::Btrfs => "a btrfs file system",
            FsKind::F2fs => "an f2fs file system",
        }
    }

    /// The type to give to mount(2); `None` for what cannot be mounted.
    pub fn mount_type(self) -> Option<&'static str> {
        match self {
            FsKind::Swap | FsKind::Luks | FsKind::Lvm => None,
            FsKind::Ntfs => Some("ntfs3"),
            kind => Some(kind.name()),
        }
    }

    /// Whether it is FAT12, FAT16 or FAT32.
    pub fn is_fat(self) -> bool {
        matches!(self, FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32)
    }

    /// Whether a Linux system can have its root on it and be changed there.
    pub fn can_be_root(self) -> bool {
        use FsKind::{Btrfs, Ext2, Ext3, Ext4, F2fs, Xfs};
        matches!(self, Ext2 | Ext3 | Ext4 | Xfs | Btrfs | F2fs)
    }

    /// Whether its first sector looks like a master boot record.
    pub(crate) fn has_boot_sector(self) -> bool {
        self.is_fat() || matches!(self, FsKind::ExFat | FsKind::Ntfs)
    }
}

impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file system, or another known content of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// What it is.
    pub kind: FsKind,
    /// Its label, where it has one.
    pub label: Option<String>,
    /// Its UUID in the form `blkid` prints, where it has one.
    pub uuid: Option<String>,
}
