//! Dos partition tables: the master boot record and the chain of extended boot records.
//!
//! Offsets: boot code to 439, disk id at 440, four entries of 16 bytes from 446, signature at 510.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use super::partition::{Partition, PartitionType, Table, TableKind};
use crate::{
    bytes::{Fields, read_array},
    error::{Context, Error, Kind, Result},
};

/// The last two bytes of a boot record.
pub(crate) const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The sector size of a dos table; 4096-byte disks use gpt.
const SECTOR: u64 = 512;

/// More logical partitions than Linux gives numbers to (its limit for a disk is 256).
const MAX_LOGICAL: usize = 251;

/// The type byte that stands for "this disk has a gpt".
const PROTECTIVE: u8 = 0xee;

/// One entry of a boot record.
#[derive(Debug, Clone, Copy)]
struct Entry {
    slot: u32,
    type_: u8,
    start: u64,
    count: u64,
}

impl Entry {
    /// Where it is in the image, in bytes, with its record in sector `record`.
    fn place(self, record: u64) -> u64 {
        record * SECTOR + 446 + 16 * u64::from(self.slot)
    }

    fn is_extended(self) -> bool {
        matches!(self.type_, 0x05 | 0x0f | 0x85)
    }
}

fn entries(sector: &[u8; 512]) -> impl Iterator<Item = Entry> {
    (0..4).map(|slot| {
        let at = 446 + 16 * slot;
        Entry {
            slot: slot as u32,
            type_: sector.u8(at + 4),
            start: u64::from(sector.u32(at + 8)),
            count: u64::from(sector.u32(at + 12)),
        }
    })
}

fn used(sector: &[u8; 512]) -> impl Iterator<Item = Entry> {
    entries(sector).filter(|entry| entry.type_ != 0 && entry.count != 0)
}

/// Whether the entries can be a partition table: the first byte of each is 0 or 0x80 (active).
/// A file system's boot sector has the same signature but program code there.
pub(crate) fn plausible(sector: &[u8; 512]) -> bool {
    (0..4).all(|slot| sector.u8(446 + 16 * slot) & 0x7f == 0)
}

/// Whether any entry is used.
pub(crate) fn has_entries(sector: &[u8; 512]) -> bool {
    used(sector).next().is_some()
}

/// Whether the record only points to a gpt (protective), or has such an entry among others (hybrid).
pub(crate) fn is_protective(sector: &[u8; 512]) -> bool {
    used(sector).any(|entry| entry.type_ == PROTECTIVE)
}

/// Where the entry of a partition is, and what else says how far it reaches: for whoever changes that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where its entry is in the image, in bytes.
    pub entry: u64,
    /// Its first sector.
    pub start: u64,
    /// The extended partition that it is in.
    pub extended: Option<Span>,
    /// For all but the first logical partition: what the record before says of its own record.
    pub link: Option<Span>,
}

/// An entry that spans records and logical partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where the entry is in the image, in bytes.
    pub entry: u64,
    /// The first sector that it spans.
    pub start: u64,
}

/// A partition that was found.
struct Found {
    number: u32,
    type_: u8,
    count: u64,
    place: Place,
}

/// Reads the table whose master boot record is `sector`.
pub(crate) fn read(
    reader: &mut (impl Read + Seek),
    sector: &[u8; 512],
    size: u64,
    name: &str,
) -> Result<Table> {
    let id = sector.u32(440);
    let found = find(reader, sector, size, name)?;
    let partition = |found: Found| {
        partition(
            id,
            found.number,
            found.type_,
            found.place.start,
            found.count,
        )
    };
    Ok(Table {
        kind: TableKind::Dos,
        disk_id: format!("{id:08x}"),
        partitions: found.into_iter().map(partition).collect(),
    })
}

/// Where the entries are of the partitions in the dos table of an image of `size` bytes, by number; and where each of its
/// partitions, extended ones too, begins, as the first sector.
///
/// # Errors
/// As [`read_table`](super::read_table).
pub fn places(
    reader: &mut (impl Read + Seek),
    size: u64,
    name: &str,
) -> Result<(BTreeMap<u32, Place>, Vec<u64>)> {
    let sector: [u8; 512] = read_array(reader, 0)
        .context(Kind::Image, || {
            format!("read the partition table of {name}")
        })?
        .unwrap_or([0; 512]);
    let found = find(reader, &sector, size, name)?;
    let starts = used(&sector).map(|entry| entry.start).collect();
    Ok((
        found.into_iter().map(|f| (f.number, f.place)).collect(),
        starts,
    ))
}

fn find(
    reader: &mut (impl Read + Seek),
    sector: &[u8; 512],
    size: u64,
    name: &str,
) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for entry in used(sector).filter(|entry| !entry.is_extended()) {
        all.push(Found {
            number: entry.slot + 1,
            type_: entry.type_,
            count: entry.count,
            place: Place {
                entry: entry.place(0),
                start: entry.start,
                extended: None,
                link: None,
            },
        });
    }
    // Linux reads the chain of every extended partition in turn and numbers on.
    let mut number = 5;
    for extended in used(sector).filter(|entry| entry.is_extended()) {
        if extended.start * SECTOR >= size {
            return Err(Error::image(format!(
                "extended partition {} of {name} begins beyond its {size} bytes: is the image truncated?",
                extended.slot + 1
            ))
            .hint("download the image again and check it against its published checksum"));
        }
        for (type_, count, place) in logical(reader, extended, name)? {
            all.push(Found {
                number,
                type_,
                count,
                place,
            });
            number += 1;
        }
    }
    Ok(all)
}

/// The partitions of one extended partition: type, number of sectors, and place.
fn logical(
    reader: &mut (impl Read + Seek),
    extended: Entry,
    name: &str,
) -> Result<Vec<(u8, u64, Place)>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut at = extended.start;
    let mut link = None;
    while seen.insert(at) && seen.len() <= MAX_LOGICAL {
        let record: Option<[u8; 512]> = read_array(reader, at * SECTOR)
            .context(Kind::Image, || {
                format!("read the partition table of {name}")
            })?;
        let Some(record) = record.filter(|record| record.has(510, &SIGNATURE)) else {
            // An extended partition that nobody filled ends like this, and so does Linux.
            return Ok(found);
        };
        // A logical partition is relative to its record, the next record to the extended partition.
        for entry in used(&record).filter(|entry| !entry.is_extended()) {
            let place = Place {
                entry: entry.place(at),
                start: at + entry.start,
                extended: Some(Span {
                    entry: extended.place(0),
                    start: extended.start,
                }),
                link: link.clone(),
            };
            found.push((entry.type_, entry.count, place));
        }
        match used(&record).find(|entry| entry.is_extended()) {
            Some(next) => {
                let start = extended.start + next.start;
                link = Some(Span {
                    entry: next.place(at),
                    start,
                });
                at = start;
            }
            None => return Ok(found),
        }
    }
    Err(Error::image(format!(
        "the chain of logical partitions of {name} is too long or a loop"
    ))
    .hint("the partition table is damaged: download or make the image again"))
}

fn partition(id: u32, number: u32, type_: u8, start: u64, count: u64) -> Partition {
    Partition {
        number,
        start: start * SECTOR,
        size: count * SECTOR,
        type_: PartitionType::Dos(type_),
        // Without a disk id Linux has no PARTUUID either.
        uuid: (id != 0).then(|| format!("{id:08x}-{number:02x}")),
        name: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{dos_image, read, write_entries};
    use super::*;

    fn list(table: &Table) -> Vec<(u32, u64, u64)> {
        table
            .partitions
            .iter()
            .map(|p| (p.number, p.start / 512, p.size / 512))
            .collect()
    }

    #[test]
    fn primaries_keep_the_number_of_their_slot() {
        let table = read(&dos_image(8, &[(0, 0xc, 63, 4000), (2, 0x83, 4096, 8192)])).unwrap();
        assert_eq!(list(&table), [(1, 63, 4000), (3, 4096, 8192)]);
        assert_eq!(
            (table.kind, table.disk_id.as_str()),
            (TableKind::Dos, "1234abcd")
        );
        assert_eq!(table.partitions[1].uuid.as_deref(), Some("1234abcd-03"));
        assert_eq!(table.partitions[1].type_, PartitionType::Dos(0x83));
    }

    fn with_chain(next_of_last: Option<u32>) -> Vec<u8> {
        let mut image = dos_image(8, &[(0, 0xc, 64, 64), (1, 0x0f, 2048, 8192)]);
        write_entries(
            &mut image[2048 * 512..][..512],
            &[(0, 0x83, 63, 100), (1, 5, 1024, 512)],
        );
        let last = &mut image[(2048 + 1024) * 512..][..512];
        write_entries(last, &[(0, 0x82, 63, 200)]);
        if let Some(next) = next_of_last {
            write_entries(last, &[(1, 5, next, 512)]);
        }
        image
    }

    #[test]
    fn logical_partitions_count_from_five() {
        let table = read(&with_chain(None)).unwrap();
        assert_eq!(
            list(&table),
            [(1, 64, 64), (5, 2048 + 63, 100), (6, 3072 + 63, 200)]
        );
        assert_eq!(table.partitions[2].uuid.as_deref(), Some("1234abcd-06"));
    }

    #[test]
    fn a_chain_that_loops_ends_in_an_error() {
        let error = read(&with_chain(Some(1024))).unwrap_err().to_string();
        assert!(error.contains("loop"), "{error}");
        let error = read(&with_chain(Some(0))).unwrap_err().to_string();
        assert!(error.contains("loop"), "{error}");
    }

    #[test]
    fn an_extended_partition_outside_the_image_is_a_truncation() {
        let image = dos_image(1, &[(0, 0xc, 64, 64), (1, 5, 4_000_000, 8)]);
        assert!(read(&image).unwrap_err().to_string().contains("truncated"));
    }
}
