//! Which parts of a partition its file system does not use: what is there means nothing to anybody.
//!
//! What cannot be told counts as used.

use std::{
    io::{Read, Seek},
    ops::Range,
};

use super::probe::{FsKind, fat::Geometry};
use crate::bytes::{Fields, read_array, read_vec};

/// The most groups of an ext file system that are looked at: 16 TiB of them.
const MAX_GROUPS: u64 = 1 << 17;

/// The largest allocation table of a FAT that is read, in bytes: of one with 2^25 clusters.
const MAX_TABLE: u64 = 128 << 20;

/// The free bytes of the file system under `reader`, from the partition's start and in rising order; none where its kind is
/// not known well enough.
pub fn free(reader: &mut (impl Read + Seek), kind: FsKind) -> Vec<Range<u64>> {
    let mut found = Ranges::default();
    let all = match kind {
        FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => ext(reader, &mut found),
        kind if kind.is_fat() => fat(reader, &mut found),
        _ => None,
    };
    match all {
        Some(()) => found.0,
        None => Vec::new(),
    }
}

/// Ranges in rising order, joined where they touch.
#[derive(Debug, Default)]
struct Ranges(Vec<Range<u64>>);

impl Ranges {
    fn push(&mut self, range: Range<u64>) {
        match self.0.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.0.push(range),
        }
    }
}

/// Features of ext4 that change where its bitmaps are, or what they mean: groups of descriptors elsewhere (incompatible),
/// and clusters of blocks (read-only compatible).
const META_BG: u32 = 0x10;
const BIGALLOC: u32 = 0x200;
/// Incompatible: descriptors are larger.
const BITS_64: u32 = 0x80;
/// A group whose bitmap was never written.
const BLOCK_UNINIT: u16 = 2;

/// Block bitmaps, one of each group.
fn ext(reader: &mut (impl Read + Seek), found: &mut Ranges) -> Option<()> {
    let sb: [u8; 1024] = read_array(reader, 1024).ok()??;
    let (incompat, ro_compat) = (sb.u32(0x60), sb.u32(0x64));
    if sb.u16(0x38) != 0xef53 || incompat & META_BG != 0 || ro_compat & BIGALLOC != 0 {
        return None;
    }
    let block = 1024u64
        .checked_shl(sb.u32(0x18))
        .filter(|size| *size <= 64 << 10)?;
    let wide = incompat & BITS_64 != 0;
    let high = |at: usize| if wide { u64::from(sb.u32(at)) << 32 } else { 0 };
    let blocks = high(0x150) | u64::from(sb.u32(0x04));
    let (first, per_group) = (u64::from(sb.u32(0x14)), u64::from(sb.u32(0x20)));
    let each = if wide {
        u64::from(sb.u16(0xfe)).max(32)
    } else {
        32
    };
    if per_group == 0 || per_group > 8 * block || each > 1024 {
        return None;
    }
    let groups = blocks.checked_sub(first)?.div_ceil(per_group);
    if groups > MAX_GROUPS {
        return None;
    }
    // The descriptors are in the block behind the one with the super block.
    let table = read_vec(reader, (first + 1) * block, (groups * each) as usize).ok()??;
    for (group, descriptor) in (0..groups).zip(table.chunks_exact(each as usize)) {
        // Such a group is used where others have put their tables, so it is left alone.
        if descriptor.u16(0x12) & BLOCK_UNINIT != 0 {
            continue;
        }
        let high = if each >= 64 {
            u64::from(descriptor.u32(0x20)) << 32
        } else {
            0
        };
        let at = (high | u64::from(descriptor.u32(0))).checked_mul(block)?;
        let bitmap = read_vec(reader, at, block as usize).ok()??;
        let begin = first + group * per_group;
        let here = per_group.min(blocks - begin);
        for index in (0..here).filter(|index| bitmap[*index as usize / 8] >> (index % 8) & 1 == 0) {
            found.push((begin + index) * block..(begin + index + 1) * block);
        }
    }
    Some(())
}

/// The allocation table: a cluster with 0 is free.
fn fat(reader: &mut (impl Read + Seek), found: &mut Ranges) -> Option<()> {
    let boot: [u8; 512] = read_array(reader, 0).ok()??;
    let geometry = Geometry::parse(&boot)?;
    if geometry.fat_length > MAX_TABLE {
        return None;
    }
    let active = u64::from(geometry.active_fat.unwrap_or(0)) * geometry.fat_length;
    let at = geometry.fat_start + active;
    let table = read_vec(reader, at, geometry.fat_length as usize).ok()??;
    let entry = |number: u32| {
        let index = number as usize;
        match geometry.kind {
            FsKind::Fat12 => {
                let pair = table.u16(index + index / 2);
                u32::from(if index.is_multiple_of(2) {
                    pair & 0xfff
                } else {
                    pair >> 4
                })
            }
            FsKind::Fat16 => u32::from(table.u16(2 * index)),
            _ => table.u32(4 * index) & 0x0fff_ffff,
        }
    };
    for number in (2..geometry.clusters + 2).filter(|number| entry(*number) == 0) {
        let start = geometry.cluster_start(number)?;
        found.push(start..start + u64::from(geometry.cluster));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt, process::Command};

    use super::*;

    fn run(program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).output();
        let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{program} {args:?}: {text}");
        text
    }

    /// A file system with a folder of files in it, in a file.
    fn made(mib: u64, tool: &str, args: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(mib << 20).unwrap();
        let path = file.path().to_str().unwrap();
        run(tool, &[args, &[path]].concat());
        file
    }

    /// Fills everything that is called free with noise: the file system does not notice.
    fn assert_free(file: &tempfile::NamedTempFile, kind: FsKind, check: &[&str]) -> u64 {
        let free = free(&mut File::open(file.path()).unwrap(), kind);
        let mut total = 0;
        for range in &free {
            assert!(range.end <= file.as_file().metadata().unwrap().len());
            let noise = vec![0xa5; (range.end - range.start) as usize];
            file.as_file().write_all_at(&noise, range.start).unwrap();
            total += range.end - range.start;
        }
        let path = file.path().to_str().unwrap();
        run(check[0], &[&check[1..], &[path]].concat());
        total
    }

    #[test]
    fn what_is_free_can_be_anything() {
        let source = tempfile::tempdir().unwrap();
        for index in 0..40 {
            let content = vec![b'a' + index; 20_000 * usize::from(index) + 1];
            std::fs::write(source.path().join(format!("f{index}")), content).unwrap();
        }
        let from = source.path().to_str().unwrap();
        for (mib, args) in [
            (40, &["-q", "-F", "-t", "ext4"][..]),
            (40, &["-q", "-F", "-t", "ext4", "-b", "1024"]),
            (
                300,
                &["-q", "-F", "-t", "ext4", "-b", "2048", "-O", "^flex_bg"],
            ),
            (40, &["-q", "-F", "-t", "ext2"]),
            (
                40,
                &["-q", "-F", "-t", "ext4", "-O", "^64bit,^metadata_csum"],
            ),
        ] {
            let file = made(mib, "mke2fs", &[args, &["-d", from]].concat());
            let path = file.path().to_str().unwrap();
            let before = run("debugfs", &["-R", "cat /f39", path]);
            let total = assert_free(&file, FsKind::Ext4, &["e2fsck", "-f", "-n"]);
            assert!(total > 5 << 20, "{args:?}: {total}");
            assert_eq!(run("debugfs", &["-R", "cat /f39", path]), before);
            // As many as dumpe2fs counts, but for groups that were never written to.
            let text = run("dumpe2fs", &["-h", path]);
            let number = |label: &str| -> u64 {
                let line = text.lines().find_map(|line| line.strip_prefix(label));
                line.unwrap().trim().parse().unwrap()
            };
            assert!(
                total <= number("Free blocks:") * number("Block size:"),
                "{args:?}"
            );
        }
        for (mib, kind, args) in [
            (3, FsKind::Fat12, &["-F12"][..]),
            (40, FsKind::Fat16, &["-F16", "-s", "4"]),
            (70, FsKind::Fat32, &["-F32", "-s", "1"]),
        ] {
            let file = made(mib, "mkfs.vfat", args);
            let path = file.path().to_str().unwrap();
            for name in ["f1", "f9", "f13"] {
                run("mcopy", &["-i", path, &format!("{from}/{name}"), "::"]);
            }
            let total = assert_free(&file, kind, &["fsck.vfat", "-n"]);
            let used: u64 = [1u64, 9, 13].iter().map(|n| 20_000 * n + 1).sum();
            let least = (mib << 20) - used - (2 << 20);
            assert!(total >= least, "{args:?}: {total} of {least}");
            let copy = source.path().join("copy");
            run("mcopy", &["-i", path, "::f13", copy.to_str().unwrap()]);
            assert_eq!(
                std::fs::read(&copy).unwrap(),
                std::fs::read(source.path().join("f13")).unwrap()
            );
            std::fs::remove_file(copy).unwrap();
        }
    }

    #[test]
    fn what_is_not_known_is_used() {
        let file = made(40, "mke2fs", &["-q", "-F", "-t", "ext4", "-O", "bigalloc"]);
        let mut open = File::open(file.path()).unwrap();
        assert_eq!(free(&mut open, FsKind::Ext4), []);
        assert_eq!(free(&mut open, FsKind::Fat32), []);
        assert_eq!(free(&mut open, FsKind::Btrfs), []);
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(changes in proptest::collection::vec((0usize..4096, proptest::prelude::any::<u8>()), 1..30)) {
            let mut image = vec![0u8; 64 << 10];
            image[1080..1082].copy_from_slice(&0xef53u16.to_le_bytes());
            image[1024 + 0x20] = 0xff;
            image[1024 + 4..1024 + 6].copy_from_slice(&[0xff, 3]);
            for (at, byte) in changes {
                image[at] = byte;
            }
            let _ = free(&mut std::io::Cursor::new(&image), FsKind::Ext4);
            let _ = free(&mut std::io::Cursor::new(&image), FsKind::Fat16);
        }
    }
}
