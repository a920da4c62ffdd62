//! The other file systems and containers that occur on disk images. Each constant is from the
//! superblock structure of the kernel or of the project concerned.

use std::io::{Read, Seek};

use super::{
    kind::{FileSystem, FsKind},
    text::{text, utf16, uuid},
};
use crate::bytes::{Fields, read_array, read_vec};

fn found(kind: FsKind, label: Option<String>, uuid: Option<String>) -> Option<FileSystem> {
    Some(FileSystem { kind, label, uuid })
}

/// LUKS, LVM physical volumes and swap: nothing that can be mounted.
pub(super) fn containers(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let head: [u8; 2048] = read_array(reader, 0).ok()??;
    if head.has(0, b"LUKS\xba\xbe") {
        let second = u16::from_be_bytes(head.array(6)) == 2;
        let label = if second { text(&head[24..72]) } else { None };
        return found(FsKind::Luks, label, text(&head[168..208]));
    }
    for sector in 0..4 {
        let label = &head[512 * sector..][..512];
        if label.has(0, b"LABELONE") && label.has(24, b"LVM2 001") {
            return found(FsKind::Lvm, None, lvm_uuid(&label[32..64]));
        }
    }
    // The signature ends the first page, whose size the machine chose.
    for page in [4096u64, 8192, 16384, 65536] {
        if read_array::<10>(reader, page - 10).ok()?? == *b"SWAPSPACE2" {
            return found(
                FsKind::Swap,
                text(&head[1052..1068]),
                uuid(head.array(1036)),
            );
        }
    }
    None
}

/// LVM writes 32 letters and digits in groups of 6-4-4-4-4-4-6.
fn lvm_uuid(id: &[u8]) -> Option<String> {
    let id = std::str::from_utf8(id)
        .ok()
        .filter(|id| id.is_ascii() && id.len() == 32)?;
    let mut groups = Vec::new();
    let mut at = 0;
    for length in [6, 4, 4, 4, 4, 4, 6] {
        groups.push(&id[at..at + length]);
        at += length;
    }
    Some(groups.join("-"))
}

/// Linux file systems other than ext.
pub(super) fn linux(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let head: [u8; 4096] = read_array(reader, 0).ok()??;
    if let Some(iso) = iso(reader) {
        return Some(iso);
    }
    if head.has(0, b"XFSB") {
        return found(FsKind::Xfs, text(&head[108..120]), uuid(head.array(32)));
    }
    if head.has(0, b"hsqs") {
        return found(FsKind::Squashfs, None, None);
    }
    if head.u32(1024) == 0xe0f5_e1e2 {
        return found(
            FsKind::Erofs,
            text(&head[1088..1104]),
            uuid(head.array(1072)),
        );
    }
    if head.u32(1024) == 0xf2f5_2010 {
        let label = utf16(&head[1024 + 124..][..1024]);
        return found(FsKind::F2fs, label, uuid(head.array(1024 + 108)));
    }
    let sb: [u8; 1024] = read_array(reader, 65536).ok()??;
    if sb.has(64, b"_BHRfS_M") {
        return found(FsKind::Btrfs, text(&sb[299..555]), uuid(sb.array(32)));
    }
    None
}

/// The primary volume descriptor of ISO 9660 (ECMA-119, 8.4).
pub(super) fn iso(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let descriptor: [u8; 72] = read_array(reader, 16 * 2048).ok()??;
    if !descriptor.has(0, b"\x01CD001\x01") {
        return None;
    }
    let label = text(descriptor[40..72].trim_ascii_end());
    found(FsKind::Iso9660, label, None)
}

/// NTFS (without its label, which is in the file table) and exFAT.
pub(super) fn foreign(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let boot: [u8; 512] = read_array(reader, 0).ok()??;
    if boot.has(3, b"NTFS    ") {
        let id = format!("{:016X}", boot.u64(72));
        return found(FsKind::Ntfs, None, Some(id));
    }
    if boot.has(3, b"EXFAT   ") {
        let serial = boot.u32(100);
        let id = format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff);
        return found(
            FsKind::ExFat,
            exfat_label(reader, &boot),
            (serial != 0).then_some(id),
        );
    }
    None
}

/// The label entry (0x83) in the first cluster of exFAT's root directory.
fn exfat_label(reader: &mut (impl Read + Seek), boot: &[u8; 512]) -> Option<String> {
    let (shift, cluster_shift) = (boot.u8(108), boot.u8(109));
    if !(9..=12).contains(&shift) || cluster_shift > 25 - shift {
        return None;
    }
    let heap = u64::from(boot.u32(88)) << shift;
    let index = u64::from(boot.u32(96).checked_sub(2)?);
    let root = heap + (index << (shift + cluster_shift));
    let entries = read_vec(reader, root, 512).ok()??;
    let label = entries.chunks_exact(32).find(|entry| entry[0] == 0x83)?;
    utf16(&label[2..2 + 2 * usize::from(label[1].min(11))])
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_cd_is_known_by_its_descriptor() {
        let mut cd = vec![0; 70_000];
        cd[32768..][..7].copy_from_slice(b"\x01CD001\x01");
        cd[32808..][..32].copy_from_slice(b"DEBIAN 12 ARM64                 ");
        let found = linux(&mut Cursor::new(cd)).unwrap();
        assert_eq!(found.kind, FsKind::Iso9660);
        assert_eq!(found.label.as_deref(), Some("DEBIAN 12 ARM64"));
    }
}
