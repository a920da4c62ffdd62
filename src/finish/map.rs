//! Which blocks of an image matter: what a card has to get, and what may stay there as it was.
//!
//! A block does not matter if it is not stored in the file and no file system uses it. Neither is enough: a file of zeros is
//! not stored, and still has to be zeros on the card.

use std::{fs::File, io, ops::Range};

use crate::{
    disk::{Slice, Volume, free},
    sys::file::next_data,
};

/// The unit, in bytes: that of nearly every file system.
pub const BLOCK: u64 = 4096;

/// An image in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// The image's size, in bytes.
    pub size: u64,
    /// The blocks that matter, in rising order.
    pub mapped: Vec<Range<u64>>,
}

impl Map {
    /// Of `image` with these `volumes`.
    pub fn of(image: &File, volumes: &[Volume]) -> io::Result<Self> {
        let size = image.metadata()?.len();
        let blocks = size.div_ceil(BLOCK);
        let idle = intersection(&holes(image, size)?, &unused(image, size, volumes));
        // Only whole blocks are left out.
        let whole = idle.iter().map(|range| {
            let end = if range.end == size {
                blocks
            } else {
                range.end / BLOCK
            };
            range.start.div_ceil(BLOCK)..end
        });
        let mut mapped = Vec::new();
        let mut at = 0;
        for range in whole.filter(|range| range.start < range.end) {
            if range.start > at {
                mapped.push(at..range.start);
            }
            at = range.end;
        }
        if at < blocks {
            mapped.push(at..blocks);
        }
        Ok(Map { size, mapped })
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> u64 {
        self.size.div_ceil(BLOCK)
    }

    /// How many of them matter.
    pub fn mapped_blocks(&self) -> u64 {
        self.mapped
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }
}

/// What is not stored of the file, in bytes.
fn holes(image: &File, size: u64) -> io::Result<Vec<Range<u64>>> {
    let mut holes = Vec::new();
    let mut at = 0;
    while at < size {
        let data = next_data(image, at)?.unwrap_or(size..size);
        if data.start > at {
            holes.push(at..data.start.min(size));
        }
        at = data.end.max(at + 1);
    }
    Ok(holes)
}

/// What no file system uses, in bytes: parts of partitions, and what is behind the last of them.
fn unused(image: &File, size: u64, volumes: &[Volume]) -> Vec<Range<u64>> {
    let mut all = Vec::new();
    for Volume { partition, fs } in volumes {
        let Some(fs) = fs else { continue };
        let mut slice = Slice::new(image, partition.start, partition.size);
        let inside = |range: &Range<u64>| range.end <= partition.size;
        let ranges = free::free(&mut slice, fs.kind).into_iter().filter(inside);
        all.extend(ranges.map(|r| partition.start + r.start..partition.start + r.end));
    }
    let ends = volumes.iter().map(|v| v.partition.start + v.partition.size);
    let end = ends.max().unwrap_or(size);
    if end < size {
        all.push(end..size);
    }
    all.sort_by_key(|range| range.start);
    all
}

/// What is in both; each is in rising order, and its ranges are apart.
fn intersection(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let common = x.start.max(y.start)..x.end.min(y.end);
        let first = x.end < y.end;
        if common.start < common.end {
            both.push(common);
        }
        if first {
            a.next()
        } else {
            b.next()
        };
    }
    both
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_a_file_system_all_of_a_partition_matters() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 * BLOCK + 100).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        // Nothing is behind a last partition where there is none.
        let map = Map::of(&file, &[]).unwrap();
        assert_eq!(map.mapped, vec![0..11]);
        assert_eq!((map.blocks(), map.mapped_blocks()), (11, 11));
    }

    proptest! {
        #[test]
        fn an_intersection_is_what_is_in_both(a in ranges(), b in ranges()) {
            let within = |list: &[Range<u64>], at: u64| list.iter().any(|r| r.contains(&at));
            let both = intersection(&a, &b);
            for at in 0..300 {
                prop_assert_eq!(within(&both, at), within(&a, at) && within(&b, at), "{}", at);
            }
        }
    }

    fn ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
        prop::collection::vec((1u64..20, 1u64..20), 0..8).prop_map(|gaps| {
            let mut at = 0;
            let range = |(gap, length): (u64, u64)| {
                let start = at + gap;
                at = start + length;
                start..at
            };
            gaps.into_iter().map(range).collect()
        })
    }
}
