//! Sizes in master and extended boot records.

use std::collections::BTreeMap;

use super::patch::Patch;
use crate::disk::dos::Place;

/// The unit of a dos table, in bytes.
pub const SECTOR: u64 = 512;

/// Where in an entry of 16 bytes the last sector is in the old way of counting (three bytes), and the number of sectors.
const LAST: u64 = 5;
const COUNT: u64 = 12;

/// The geometry that everybody pretends, and the largest number of a cylinder.
const HEADS: u64 = 255;
const SECTORS: u64 = 63;
const CYLINDER: u64 = 1023;

/// The entries of a dos table.
#[derive(Debug)]
pub struct Editor {
    places: BTreeMap<u32, Place>,
    /// Where partitions begin that are no logical ones.
    starts: Vec<u64>,
}

impl Editor {
    pub(super) fn new((places, starts): (BTreeMap<u32, Place>, Vec<u64>)) -> Self {
        Editor { places, starts }
    }

    pub(super) fn highest_end(&self, number: u32, size: u64) -> u64 {
        let Some(place) = self.places.get(&number) else {
            return 0;
        };
        // A logical partition ends with the extended one, and that ends where the next one begins.
        let outer = place.extended.as_ref().map_or(place.start, |e| e.start);
        let others = self.starts.iter().copied().filter(|start| *start > outer);
        // The next logical one begins with its record, unless that is somewhere else.
        let next = self.behind(place).map(|other| match &other.link {
            Some(record) if record.start > place.start => record.start.min(other.start),
            _ => other.start,
        });
        let end = others.chain(next).min().unwrap_or(u64::MAX);
        end.min(size / SECTOR) * SECTOR
    }

    pub(super) fn end_at(&self, number: u32, end: u64) -> Option<Vec<Patch>> {
        let place = self.places.get(&number)?;
        let end = end / SECTOR;
        let mut patches = entry(place.entry, place.start, end)?;
        // A link spans the record and its partition; an extended partition spans all of its logical ones.
        let last = self.behind(place).next().is_none();
        let spans = place.extended.iter().filter(|_| last).chain(&place.link);
        for span in spans {
            patches.extend(entry(span.entry, span.start, end)?);
        }
        Some(patches)
    }

    /// The logical partitions behind that at `place`, in the same extended one.
    fn behind<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a Place> {
        let same = |other: &&Place| place.extended.is_some() && other.extended == place.extended;
        let places = self.places.values().filter(same);
        places.filter(|other| other.start > place.start)
    }
}

/// What makes the entry at byte `at` span the sectors from `start` up to `end`; `None` if it cannot.
pub(super) fn entry(at: u64, start: u64, end: u64) -> Option<Vec<Patch>> {
    let count = u32::try_from(end.checked_sub(start)?).ok()?;
    u32::try_from(start).ok()?;
    Some(vec![
        Patch {
            at: at + LAST,
            bytes: chs(end.saturating_sub(1)).to_vec(),
        },
        Patch {
            at: at + COUNT,
            bytes: count.to_le_bytes().to_vec(),
        },
    ])
}

/// A sector as head, sector and cylinder, in three bytes; what is beyond them is the highest of each.
fn chs(lba: u64) -> [u8; 3] {
    let cylinder = lba / (HEADS * SECTORS);
    let (head, sector) = (lba / SECTORS % HEADS, lba % SECTORS + 1);
    let (head, sector, cylinder) = match cylinder > CYLINDER {
        true => (HEADS - 1, SECTORS, CYLINDER),
        false => (head, sector, cylinder),
    };
    [
        head as u8,
        (sector | cylinder >> 2 & 0xc0) as u8,
        cylinder as u8,
    ]
}
