//! The file allocation table, held in memory and written back in pages.

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::{Outcome, device::Device};
use crate::disk::{FsKind, probe::fat::Geometry};

/// Tables above this many bytes are refused: 64 million clusters, more than any boot partition has.
const MAX_BYTES: u64 = 256 << 20;

/// What is written back at once.
const PAGE: usize = 4096;

/// What the table says about a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It belongs to no file.
    Free,
    /// The file goes on in that cluster.
    Next(u32),
    /// It is the last of its file.
    End,
    /// It is marked as bad, or names a cluster that does not exist.
    Bad,
}

/// The table. Cluster numbers run from 2 to `clusters + 1`.
#[derive(Debug)]
pub(super) struct Table {
    kind: FsKind,
    end: u32,
    raw: Vec<u8>,
    dirty: BTreeSet<usize>,
    free: u32,
    next: u32,
}

impl Table {
    /// Reads the active table.
    pub(super) fn read(device: &Device, geometry: &Geometry) -> Outcome<Table> {
        let end = geometry.clusters + 2;
        let length = match geometry.kind {
            FsKind::Fat12 => (u64::from(end) * 3).div_ceil(2),
            FsKind::Fat16 => u64::from(end) * 2,
            _ => u64::from(end) * 4,
        };
        if length > MAX_BYTES {
            return Err(Errno::EFBIG);
        }
        let mut raw = vec![0; length as usize];
        let skip = u64::from(geometry.active_fat.unwrap_or(0)) * geometry.fat_length;
        device.read(geometry.fat_start + skip, &mut raw)?;
        let mut table = Table {
            kind: geometry.kind,
            end,
            raw,
            dirty: BTreeSet::new(),
            free: 0,
            next: 2,
        };
        table.free = (2..end).filter(|&n| table.link(n) == Link::Free).count() as u32;
        Ok(table)
    }

    /// How many clusters are free.
    pub(super) fn free(&self) -> u32 {
        self.free
    }

    /// Where the next allocation begins to look.
    pub(super) fn hint(&self) -> u32 {
        self.next
    }

    /// Whether something was changed since the last [`flush`](Self::flush).
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.raw[at], self.raw[at + 1]])
    }

    /// What the table says about `cluster`.
    pub(super) fn link(&self, cluster: u32) -> Link {
        if !(2..self.end).contains(&cluster) {
            return Link::Bad;
        }
        let n = cluster as usize;
        // The first value that ends a chain; one below is a bad cluster.
        let (value, last) = match self.kind {
            FsKind::Fat12 => {
                let pair = self.u16(n + n / 2);
                (
                    u32::from(if n.is_multiple_of(2) {
                        pair & 0xfff
                    } else {
                        pair >> 4
                    }),
                    0xff8,
                )
            }
            FsKind::Fat16 => (u32::from(self.u16(2 * n)), 0xfff8),
            _ => {
                let (low, high) = (self.u16(4 * n), self.u16(4 * n + 2));
                (u32::from(low) | u32::from(high & 0xfff) << 16, 0x0fff_fff8)
            }
        };
        match value {
            0 => Link::Free,
            value if value >= last => Link::End,
            value if (2..self.end).contains(&value) => Link::Next(value),
            _ => Link::Bad,
        }
    }

    fn set(&mut self, cluster: u32, link: Link) {
        let n = cluster as usize;
        let value = match link {
            Link::Free => 0,
            Link::Next(next) => next,
            // Cut to the width of an entry below.
            Link::End | Link::Bad => 0x0fff_ffff,
        };
        let (at, bytes) = match self.kind {
            FsKind::Fat12 => {
                let (at, value) = (n + n / 2, (value & 0xfff) as u16);
                let pair = self.u16(at);
                let pair = match n % 2 {
                    0 => pair & 0xf000 | value,
                    _ => pair & 0x000f | value << 4,
                };
                (at, [pair.to_le_bytes().as_slice(), &[]].concat())
            }
            FsKind::Fat16 => (2 * n, (value as u16).to_le_bytes().to_vec()),
            // The upper four bits are reserved and kept.
            _ => {
                let kept = u32::from(self.raw[4 * n + 3] & 0xf0) << 24;
                (4 * n, (value | kept).to_le_bytes().to_vec())
            }
        };
        self.raw[at..at + bytes.len()].copy_from_slice(&bytes);
        self.dirty
            .extend([at / PAGE, (at + bytes.len() - 1) / PAGE]);
    }

    /// The clusters of the chain from `first` (none for 0).
    ///
    /// # Errors
    ///
    /// `EIO` for a loop, a free or bad cluster in the chain, and a number outside the table.
    pub(super) fn chain(&self, first: u32) -> Outcome<Vec<u32>> {
        let mut chain = Vec::new();
        let mut cluster = first;
        if first == 0 {
            return Ok(chain);
        }
        loop {
            chain.push(cluster);
            match self.link(cluster) {
                Link::End => return Ok(chain),
                // A chain longer than the table is a loop.
                Link::Next(next) if chain.len() < self.end as usize => cluster = next,
                _ => return Err(Errno::EIO),
            }
        }
    }

    /// Takes `count` free clusters, chained, and appended to `last` where given; all or none.
    pub(super) fn allocate(&mut self, count: usize, last: Option<u32>) -> Outcome<Vec<u32>> {
        if count > self.free as usize {
            return Err(Errno::ENOSPC);
        }
        // Go on right behind the file where that is free, so that it stays in one piece.
        let behind = last
            .map(|last| last + 1)
            .filter(|&n| self.link(n) == Link::Free);
        let start = behind.unwrap_or(self.next).clamp(2, self.end - 1);
        let mut taken = Vec::with_capacity(count);
        for cluster in (start..self.end).chain(2..start) {
            if taken.len() == count {
                break;
            }
            if self.link(cluster) == Link::Free {
                taken.push(cluster);
            }
        }
        if taken.len() < count {
            return Err(Errno::ENOSPC);
        }
        let mut before = last;
        for &cluster in &taken {
            if let Some(before) = before {
                self.set(before, Link::Next(cluster));
            }
            self.set(cluster, Link::End);
            before = Some(cluster);
        }
        self.free -= taken.len() as u32;
        if let Some(&end) = taken.last() {
            self.next = if end + 1 < self.end { end + 1 } else { 2 };
        }
        Ok(taken)
    }

    /// Frees these clusters.
    pub(super) fn release(&mut self, clusters: &[u32]) {
        for &cluster in clusters {
            if !matches!(self.link(cluster), Link::Free) && (2..self.end).contains(&cluster) {
                self.set(cluster, Link::Free);
                self.free += 1;
            }
        }
    }

    /// Frees what belongs to the chain from `first`, as far as it is sound.
    pub(super) fn release_chain(&mut self, first: u32) {
        let mut cluster = first;
        // A loop ends where it meets what this has already freed.
        loop {
            let link = self.link(cluster);
            match link {
                Link::Next(_) | Link::End => self.release(&[cluster]),
                Link::Free | Link::Bad => return,
            }
            let Link::Next(next) = link else { return };
            cluster = next;
        }
    }

    /// Makes `cluster` the last of its chain.
    pub(super) fn end_at(&mut self, cluster: u32) {
        self.set(cluster, Link::End);
    }

    /// Writes what was changed to every copy of the table.
    pub(super) fn flush(&mut self, device: &Device, geometry: &Geometry) -> Outcome<()> {
        let copies = match geometry.active_fat {
            Some(active) => active..active + 1,
            None => 0..geometry.fats,
        };
        for &page in &self.dirty {
            let from = page * PAGE;
            let bytes = &self.raw[from..(from + PAGE).min(self.raw.len())];
            for copy in copies.clone() {
                let start = geometry.fat_start + u64::from(copy) * geometry.fat_length;
                device.write(start + from as u64, bytes)?;
            }
        }
        self.dirty.clear();
        Ok(())
    }

    /// Runs of free clusters: the first and how many.
    pub(super) fn free_runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut at = 2;
        std::iter::from_fn(move || {
            let first = (at..self.end).find(|&n| self.link(n) == Link::Free)?;
            let end = (first..self.end)
                .find(|&n| self.link(n) != Link::Free)
                .unwrap_or(self.end);
            at = end;
            Some((first, end - first))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: FsKind, clusters: u32) -> Table {
        let raw = vec![0; (clusters as usize + 2) * 4];
        Table {
            kind,
            end: clusters + 2,
            raw,
            dirty: BTreeSet::new(),
            free: clusters,
            next: 2,
        }
    }

    #[test]
    fn every_width_keeps_its_neighbours() {
        for kind in [FsKind::Fat12, FsKind::Fat16, FsKind::Fat32] {
            let mut table = table(kind, 100);
            let odd = table.allocate(3, None).unwrap();
            let more = table.allocate(2, odd.last().copied()).unwrap();
            let other = table.allocate(1, None).unwrap();
            assert_eq!(table.chain(odd[0]).unwrap(), [odd, more].concat());
            assert_eq!(table.chain(other[0]).unwrap(), other);
            assert_eq!(table.free(), 94);
            table.release_chain(2);
            assert_eq!(table.free(), 99);
            assert_eq!(table.free_runs().collect::<Vec<_>>(), [(2, 5), (8, 94)]);
            assert_eq!(table.allocate(100, None), Err(Errno::ENOSPC));
            assert_eq!(table.allocate(99, None).unwrap().len(), 99);
        }
    }

    #[test]
    fn loops_and_wild_links_are_errors() {
        let mut table = table(FsKind::Fat32, 10);
        let chain = table.allocate(3, None).unwrap();
        table.set(chain[2], Link::Next(chain[0]));
        assert_eq!(table.chain(chain[0]), Err(Errno::EIO));
        assert_eq!(table.chain(9), Err(Errno::EIO));
        assert_eq!(table.chain(12), Err(Errno::EIO));
        assert_eq!(table.chain(1), Err(Errno::EIO));
        table.release_chain(chain[0]);
        assert_eq!(table.free(), 10);
    }
}
