//! Sizes in a GUID partition table: its two headers, its two arrays of entries, and the master boot record before them.

use std::io::{Read, Seek};

use super::{dos, patch::Patch};
use crate::{
    bytes::{Fields, read_array},
    disk::gpt::{Raw, checksum, crc32},
    error::{Context, Kind, Result},
};

// Fields of a header (UEFI specification, table 5-5).
const CHECKSUM: usize = 16;
const MY_LBA: usize = 24;
const ALTERNATE_LBA: usize = 32;
const LAST_USABLE: usize = 48;
const ENTRIES_LBA: usize = 72;
const ENTRY_SIZE: usize = 84;
const ENTRIES_CHECKSUM: usize = 88;

// Fields of an entry.
const FIRST: usize = 32;
const LAST: usize = 40;

/// The type of an entry of the master boot record that stands for the gpt.
const PROTECTIVE: u8 = 0xee;

/// The table as it is stored.
#[derive(Debug)]
pub struct Editor {
    raw: Raw,
    /// The size of the image that it was read from, in bytes.
    size: u64,
    boot_record: [u8; 512],
}

impl Editor {
    pub(super) fn new(
        reader: &mut (impl Read + Seek),
        raw: Raw,
        size: u64,
        name: &str,
    ) -> Result<Self> {
        let record = read_array(reader, 0).context(Kind::Image, || format!("read {name}"))?;
        Ok(Editor {
            raw,
            size,
            boot_record: record.unwrap_or([0; 512]),
        })
    }

    pub(super) fn sector(&self) -> u64 {
        self.raw.header.sector
    }

    pub(super) fn highest_end(&self, number: u32, size: u64) -> u64 {
        let Some((first, _)) = self.entry(number) else {
            return 0;
        };
        let entries = (1..).map_while(|number| self.entry(number));
        let behind = entries.map(|(first, _)| first).filter(|f| *f > first);
        let end = behind.min().unwrap_or(u64::MAX);
        let usable = (size / self.sector()).saturating_sub(self.tail());
        end.min(usable) * self.sector()
    }

    pub(super) fn smallest_image(&self, end: u64) -> u64 {
        (end.div_ceil(self.sector()) + self.tail()) * self.sector()
    }

    pub(super) fn end_at(&self, number: u32, end: u64, size: u64) -> Vec<Patch> {
        let sector = self.sector();
        let total = size / sector;
        let mut array = self.raw.array.clone();
        let at = (number as usize - 1) * self.entry_size();
        set(&mut array, at + LAST, (end / sector).saturating_sub(1));

        let last = total - 1;
        let mut header = self.raw.header.bytes.clone();
        set(&mut header, LAST_USABLE, total - self.tail() - 1);
        header[ENTRIES_CHECKSUM..][..4].copy_from_slice(&crc32(&array).to_le_bytes());
        let copy = |own: u64, other: u64, entries: u64| {
            let mut header = header.clone();
            set(&mut header, MY_LBA, own);
            set(&mut header, ALTERNATE_LBA, other);
            set(&mut header, ENTRIES_LBA, entries);
            let sum = checksum(&header);
            header[CHECKSUM..][..4].copy_from_slice(&sum.to_le_bytes());
            let patch = |lba: u64, bytes| Patch {
                at: lba * sector,
                bytes,
            };
            [patch(own, header), patch(entries, array.clone())]
        };
        let mut patches = self.clear_backup(size);
        patches.extend(copy(last, 1, last - self.array_sectors()));
        patches.extend(copy(1, last, self.first_array()));
        patches.extend(self.boot_record(number, end, total));
        patches
    }

    /// First and last sector of entry `number`, counted from 1, 0 and 0 if it is not used; `None` behind the last.
    fn entry(&self, number: u32) -> Option<(u64, u64)> {
        let at = (number as usize).checked_sub(1)? * self.entry_size();
        let entry = self.raw.array.get(at..at + self.entry_size())?;
        let used = entry.array::<16>(0) != [0; 16];
        Some(match used {
            true => (entry.u64(FIRST), entry.u64(LAST)),
            false => (0, 0),
        })
    }

    fn entry_size(&self) -> usize {
        self.raw.header.bytes.u32(ENTRY_SIZE) as usize
    }

    fn array_sectors(&self) -> u64 {
        (self.raw.array.len() as u64).div_ceil(self.sector())
    }

    /// How many sectors the backup takes.
    fn tail(&self) -> u64 {
        self.array_sectors() + 1
    }

    /// Where the first array of entries is: where a header that is not the backup says, else behind the header.
    fn first_array(&self) -> u64 {
        let header = &self.raw.header.bytes;
        match header.u64(MY_LBA) {
            1 => header.u64(ENTRIES_LBA),
            _ => 2,
        }
    }

    /// Zeros in place of the backup where it is now, if it is not at the end of an image of `size` bytes.
    fn clear_backup(&self, size: u64) -> Vec<Patch> {
        let (header, sector) = (&self.raw.header.bytes, self.sector());
        let backup = match header.u64(MY_LBA) {
            1 => header.u64(ALTERNATE_LBA),
            own => own,
        };
        let start = header.u64(LAST_USABLE).max(self.last_used()) + 1;
        let inside = backup < self.size.min(size) / sector;
        let moved = backup != (size / sector).saturating_sub(1);
        let length = (backup + 1).saturating_sub(start);
        match inside && moved && (1..=self.tail()).contains(&length) {
            true => vec![Patch {
                at: start * sector,
                bytes: vec![0; (length * sector) as usize],
            }],
            false => Vec::new(),
        }
    }

    fn last_used(&self) -> u64 {
        let entries = (1..).map_while(|number| self.entry(number));
        entries.map(|(_, last)| last).max().unwrap_or(0)
    }

    /// The master boot record: its entry for the whole disk, and a hybrid's for this partition.
    fn boot_record(&self, number: u32, end: u64, total: u64) -> Vec<Patch> {
        let first = self.entry(number).map_or(0, |(first, _)| first);
        let entry = |slot: usize| (446 + 16 * slot, &self.boot_record[446 + 16 * slot..][..16]);
        let used = (0..4).map(entry).filter(|(_, entry)| entry.u32(12) != 0);
        let used: Vec<_> = used.collect();
        let alone = used.len() == 1;
        let patches = used.into_iter().filter_map(|(at, entry)| {
            let start = u64::from(entry.u32(8));
            let end = match entry.u8(4) {
                PROTECTIVE if alone && start == 1 => total.min(u64::from(u32::MAX) + 1),
                PROTECTIVE => return None,
                _ if start == first => end / self.sector(),
                _ => return None,
            };
            dos::entry(at as u64, start, end)
        });
        patches.flatten().collect()
    }
}

fn set(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
