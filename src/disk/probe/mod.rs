//! File systems by their signatures, with label and UUID as `blkid` prints them.

pub mod ext;
pub mod fat;
mod kind;
mod other;
mod text;

use std::io::{Read, Seek};

pub use kind::{FileSystem, FsKind};

/// What the partition under `reader` (see [`Slice`](super::Slice)) holds; `None` where it is unknown
/// or cannot be read.
pub fn probe(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    other::containers(reader)
        .or_else(|| ext::probe(reader))
        .or_else(|| other::linux(reader))
        .or_else(|| other::foreign(reader))
        .or_else(|| fat::probe(reader))
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

    #[test]
    fn fuzz_probes() {
        let made = |program: &str, args: &[&str]| {
            which::which(program)
                .unwrap_or_else(|_| panic!("{program} is missing: {PACKAGES} have it"));
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(8 << 20).unwrap();
            let output = Command::new(program)
                .args(args)
                .arg(file.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            // What they are known by is at the beginning.
            let mut bytes = std::fs::read(file.path()).unwrap();
            bytes.truncate(80 << 10);
            bytes
        };
        let inputs = [
            made("mkfs.ext4", &["-q", "-L", "writable"]),
            made("mkfs.vfat", &["-n", "BOOT"]),
            made("mkswap", &["-L", "swap"]),
            fat::tests::image(),
            vec![0; 70_000],
        ];
        let words = [
            "\x53\u{ef}",
            "XFSB",
            "_BHRfS_M",
            "LUKS",
            "LABELONE",
            "hsqs",
            "NTFS    ",
            "EXFAT   ",
            "CD001",
        ];
        crate::fuzz::run("probes", &inputs, &words, |bytes| {
            let found = probe(&mut Cursor::new(bytes));
            found.map(|fs| (fs.kind.name(), fs.label.is_some(), fs.uuid.is_some()))
        });
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
