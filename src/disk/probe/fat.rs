//! FAT12, FAT16 and FAT32: the boot sector and where everything lies.
//!
//! After Microsoft's "FAT: General Overview of On-Disk Format" 1.03 and what Linux accepts.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};

use super::{
    kind::{FileSystem, FsKind},
    text::text,
};
use crate::bytes::{Fields, read_array, read_vec};

/// The directory entry attribute of a volume label, and the mask of a long name's entry.
const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;

/// At most this many clusters of the root directory are searched for the label.
const MAX_LABEL_CLUSTERS: u32 = 100;

/// The layout of a FAT file system, checked: every part lies inside [`size`](Self::size) bytes and
/// no sum of these fields overflows. Offsets and lengths are bytes from the start of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// [`FsKind::Fat12`], [`FsKind::Fat16`] or [`FsKind::Fat32`].
    pub kind: FsKind,
    /// Bytes in a sector: 512 to 4096.
    pub sector: u32,
    /// Bytes in a cluster.
    pub cluster: u32,
    /// Where the first allocation table begins.
    pub fat_start: u64,
    /// The length of one table.
    pub fat_length: u64,
    /// How many tables there are.
    pub fats: u8,
    /// The only table in use, where they are not mirrored.
    pub active_fat: Option<u8>,
    /// Where the fixed root directory begins (FAT12 and FAT16).
    pub root_start: u64,
    /// The length of the fixed root directory; 0 on FAT32.
    pub root_length: u64,
    /// The root directory's first cluster (FAT32), else 0.
    pub root_cluster: u32,
    /// Where cluster 2 begins.
    pub data_start: u64,
    /// How many clusters there are; the last one has the number `clusters + 1`.
    pub clusters: u32,
    /// Where the FSInfo sector is (FAT32).
    pub fs_info: Option<u64>,
    /// The size of the file system by its own account.
    pub size: u64,
}

impl Geometry {
    /// Reads it from the first 512 bytes; `None` where they are no FAT boot sector.
    pub fn parse(boot: &[u8; 512]) -> Option<Geometry> {
        let (sector, per_cluster) = (u32::from(boot.u16(11)), u32::from(boot.u8(13)));
        let (reserved, fats, media) = (u64::from(boot.u16(14)), boot.u8(16), boot.u8(21));
        let valid = matches!(sector, 512 | 1024 | 2048 | 4096)
            && per_cluster.is_power_of_two()
            && reserved != 0
            && fats != 0
            && (media >= 0xf8 || media == 0xf0);
        // Windows requires the jump and the signature, Linux neither; blkid wants one kind of mark.
        let marked = boot.has(510, &[0x55, 0xaa]) && matches!(boot.u8(0), 0xeb | 0xe9)
            || boot.has(54, b"FAT")
            || boot.has(82, b"FAT32   ");
        if !valid || !marked {
            return None;
        }
        let wide = u64::from(sector);
        let short_total = u64::from(boot.u16(19));
        let total = if short_total != 0 {
            short_total
        } else {
            u64::from(boot.u32(32))
        };
        let short_fat = u64::from(boot.u16(22));
        let fat32 = short_fat == 0;
        let fat_sectors = if fat32 {
            u64::from(boot.u32(36))
        } else {
            short_fat
        };
        let root_length = u64::from(boot.u16(17)) * 32;
        let root_sectors = root_length.div_ceil(wide);
        let meta = reserved + u64::from(fats) * fat_sectors + root_sectors;
        let clusters = total.checked_sub(meta)? / u64::from(per_cluster);
        let clusters = u32::try_from(clusters)
            .ok()
            .filter(|&n| n > 0 && n < 0x0fff_fff5)?;
        // Linux and Windows tell FAT12 from FAT16 by this number and nothing else.
        let kind = match clusters {
            _ if fat32 => FsKind::Fat32,
            ..4085 => FsKind::Fat12,
            4085..65525 => FsKind::Fat16,
            _ => return None,
        };
        let root_cluster = if fat32 { boot.u32(44) } else { 0 };
        let bits = match kind {
            FsKind::Fat12 => 12,
            FsKind::Fat16 => 16,
            _ => 32,
        };
        let fat_length = fat_sectors * wide;
        let fits = (u64::from(clusters) + 2) * bits <= fat_length * 8;
        let root_valid = !fat32 || (2..clusters + 2).contains(&root_cluster);
        if !fits || !root_valid || (fat32 && root_length != 0) {
            return None;
        }
        let flags = if fat32 { boot.u16(40) } else { 0 };
        let active = (flags & 0x0f) as u8;
        let info = u64::from(boot.u16(48));
        let root_start = (reserved + u64::from(fats) * fat_sectors) * wide;
        Some(Geometry {
            kind,
            sector,
            cluster: sector * per_cluster,
            fat_start: reserved * wide,
            fat_length,
            fats,
            active_fat: (flags & 0x80 != 0 && active < fats).then_some(active),
            root_start,
            root_length,
            root_cluster,
            data_start: root_start + root_sectors * wide,
            clusters,
            fs_info: (fat32 && (1..reserved).contains(&info)).then_some(info * wide),
            size: total * wide,
        })
    }

    /// Where a cluster begins; `None` where the number is none of a cluster.
    pub fn cluster_start(&self, number: u32) -> Option<u64> {
        let index = number
            .checked_sub(2)
            .filter(|&index| index < self.clusters)?;
        Some(self.data_start + u64::from(index) * u64::from(self.cluster))
    }

    /// Where Linux and Windows keep the mark "in use" in the boot sector.
    pub fn state_byte(&self) -> usize {
        match self.kind {
            FsKind::Fat32 => 65,
            _ => 37,
        }
    }
}

/// The FAT file system under `reader`, if it is one.
pub fn probe(reader: &mut (impl Read + Seek)) -> Option<FileSystem> {
    let boot: [u8; 512] = read_array(reader, 0).ok()??;
    let geometry = Geometry::parse(&boot)?;
    // The extended boot record: serial number, then label.
    let extended = if geometry.kind == FsKind::Fat32 {
        67
    } else {
        39
    };
    let serial = boot.u32(extended);
    let label = match root_label(reader, &geometry) {
        Some(label) => Some(label),
        None if boot.has(extended + 4, b"NO NAME    ") => None,
        None => Some(boot.array(extended + 4)).filter(|_| matches!(boot.u8(extended - 1), 0x29)),
    };
    Some(FileSystem {
        kind: geometry.kind,
        label: label.and_then(|label: [u8; 11]| text(&label)),
        uuid: (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)),
    })
}

/// The label in the root directory, which wins over the boot sector's.
fn root_label(reader: &mut (impl Read + Seek), geometry: &Geometry) -> Option<[u8; 11]> {
    if geometry.kind != FsKind::Fat32 {
        let length = usize::try_from(geometry.root_length).ok()?;
        return find_label(&read_vec(reader, geometry.root_start, length).ok()??).flatten();
    }
    let mut cluster = geometry.root_cluster;
    for _ in 0..MAX_LABEL_CLUSTERS {
        let at = geometry.cluster_start(cluster)?;
        let entries = read_vec(reader, at, geometry.cluster as usize).ok()??;
        if let Some(found) = find_label(&entries) {
            return found;
        }
        let next: [u8; 4] =
            read_array(reader, geometry.fat_start + 4 * u64::from(cluster)).ok()??;
        cluster = next.u32(0) & 0x0fff_ffff;
    }
    None
}

/// `None`: search on; `Some(None)`: the directory ends here.
fn find_label(entries: &[u8]) -> Option<Option<[u8; 11]>> {
    for entry in entries.chunks_exact(32) {
        let attributes = entry[11];
        match entry[0] {
            0 => return Some(None),
            0xe5 => {}
            _ if attributes & LONG_NAME == LONG_NAME => {}
            first if attributes & (VOLUME | DIRECTORY) == VOLUME => {
                let mut label: [u8; 11] = entry.array(0);
                // 0x05 stands for 0xe5, which would mark the entry as deleted.
                label[0] = if first == 0x05 { 0xe5 } else { first };
                return Some(Some(label));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Cursor;

    /// A FAT12 file system of 64 sectors, labelled in the boot sector and in the root directory.
    pub(crate) fn image() -> Vec<u8> {
        let mut image = vec![0; 64 * 512];
        image[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
        image[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xf8, 1, 0]);
        image[38] = 0x29;
        image[39..43].copy_from_slice(&[0x78, 0x56, 0x34, 0x12]);
        image[43..62].copy_from_slice(b"BOOTSECTOR FAT12   ");
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        image[1024..1035].copy_from_slice(b"IN ROOT    ");
        image[1035] = VOLUME;
        image
    }

    #[test]
    fn the_label_of_the_root_directory_wins() {
        let mut image = image();
        let fs = probe(&mut Cursor::new(&image)).unwrap();
        assert_eq!(fs.label.as_deref(), Some("IN ROOT"));
        assert_eq!(fs.uuid.as_deref(), Some("1234-5678"));
        assert_eq!(fs.kind, FsKind::Fat12);
        image[1024] = 0;
        let fs = probe(&mut Cursor::new(&image)).unwrap();
        assert_eq!(fs.label.as_deref(), Some("BOOTSECTOR"));
        image[43..54].copy_from_slice(b"NO NAME    ");
        assert_eq!(probe(&mut Cursor::new(&image)).unwrap().label, None);
    }

    #[test]
    fn tables_too_small_for_the_clusters_are_refused() {
        let mut image = image();
        image[19..21].copy_from_slice(&60_000u16.to_le_bytes());
        assert_eq!(probe(&mut Cursor::new(&image)), None);
    }
}
