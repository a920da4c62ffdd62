//! File systems by their signatures, with label and UUID as `blkid` prints them.

pub mod ext;
pub mod fat;
mod other;

use std::{
    fmt,
    io::{Read, Seek},
};

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
            FsKind::Swap => "swap",
            FsKind::Luks => "crypto_LUKS",
            FsKind::Lvm => "LVM2_member",
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

/// What the partition under `reader` (see [`Slice`](super::Slice)) holds; `None` where it is unknown
/// or cannot be read.
pub fn probe(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    other::containers(reader)
        .or_else(|| ext::probe(reader))
        .or_else(|| other::linux(reader))
        .or_else(|| other::foreign(reader))
        .or_else(|| fat::probe(reader))
}

/// Bytes up to the first NUL as text, without spaces at the end; `None` where nothing is left.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    let text = text.trim_end_matches([' ', '\n', '\t', '\r']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// A big-endian UUID; `None` where it is all zero.
fn uuid(b: [u8; 16]) -> Option<String> {
    if b == [0; 16] {
        return None;
    }
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    Some(format!("{a}-{b}-{c}-{d}-{e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::BTreeMap, fs::File, io::Cursor, process::Command};

    /// What scripts/install-deps.sh installs for these.
    const PACKAGES: &str =
        "e2fsprogs, dosfstools, util-linux, xfsprogs, btrfs-progs, f2fs-tools and exfatprogs";

    /// Makes a file system in a file of `mib` MiB with a real tool and compares with blkid.
    fn compare(mib: u64, tool: &str, args: &[&str], kind: FsKind) {
        for program in [tool, "blkid"] {
            which::which(program)
                .unwrap_or_else(|_| panic!("{program} is missing: {PACKAGES} have it"));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(mib << 20).unwrap();
        let made = Command::new(tool)
            .args(args)
            .arg(file.path())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{tool}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let out = Command::new("blkid")
            .args(["-p", "-o", "export"])
            .arg(file.path())
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let tags: BTreeMap<_, _> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let found = probe(&mut File::open(file.path()).unwrap()).unwrap();
        assert_eq!(found.kind, kind);
        assert_eq!(Some(found.kind.name()), tags.get("TYPE").copied());
        // blkid's export format escapes for the shell.
        let label = tags.get("LABEL").map(|label| label.replace('\\', ""));
        assert_eq!(found.label, label);
        assert_eq!(found.uuid.as_deref(), tags.get("UUID").copied());
    }

    #[test]
    fn as_blkid_says() {
        compare(4, "mkfs.ext2", &["-q", "-F", "-L", "two"], FsKind::Ext2);
        compare(8, "mkfs.ext3", &["-q", "-F"], FsKind::Ext3);
        compare(
            8,
            "mkfs.ext4",
            &["-q", "-F", "-L", "writable"],
            FsKind::Ext4,
        );
        compare(
            8,
            "mkfs.ext4",
            &["-q", "-F", "-O", "^has_journal"],
            FsKind::Ext4,
        );
        compare(1, "mkfs.vfat", &["-F12", "-n", "TINY"], FsKind::Fat12);
        compare(16, "mkfs.vfat", &["-F16"], FsKind::Fat16);
        compare(
            40,
            "mkfs.vfat",
            &["-F32", "-n", "system boot"],
            FsKind::Fat32,
        );
        compare(40, "mkfs.vfat", &["-F32", "-i", "00ab12cd"], FsKind::Fat32);
        compare(1, "mkswap", &["-q", "-L", "paging"], FsKind::Swap);
        compare(320, "mkfs.xfs", &["-q", "-f", "-L", "x"], FsKind::Xfs);
        compare(
            120,
            "mkfs.btrfs",
            &["-q", "-f", "-L", "butter"],
            FsKind::Btrfs,
        );
        compare(64, "mkfs.f2fs", &["-q", "-f", "-l", "flash"], FsKind::F2fs);
        compare(8, "mkfs.exfat", &["-L", "ex"], FsKind::ExFat);
    }

    #[test]
    fn unknown_content_is_none() {
        assert_eq!(probe(&mut Cursor::new(Vec::new())), None);
        assert_eq!(probe(&mut Cursor::new(vec![0; 200_000])), None);
    }

    proptest! {
        #[test]
        fn damaged_fat_never_panics(changes in prop::collection::vec((0usize..96, any::<u8>()), 1..12)) {
            let mut image = fat::tests::image();
            for (at, byte) in changes {
                image[at] = byte;
            }
            let _ = probe(&mut Cursor::new(image));
        }

        #[test]
        fn noise_never_panics(seed in prop::collection::vec(any::<u8>(), 0..5000), which in 0usize..9) {
            let mut image = seed;
            image.resize(5000, 0);
            let (at, magic): (usize, &[u8]) = [
                (0, &b"XFSB"[..]), (0, b"LUKS\xba\xbe\0\x02"), (512, b"LABELONE"), (3, b"EXFAT   "),
                (3, b"NTFS    "), (1024, b"\x10\x20\xf5\xf2"), (1024, b"\xe2\xe1\xf5\xe0"),
                (4086, b"SWAPSPACE2"), (1080, b"\x53\xef"),
            ][which];
            image[at..at + magic.len()].copy_from_slice(magic);
            let _ = probe(&mut Cursor::new(image));
        }
    }
}
