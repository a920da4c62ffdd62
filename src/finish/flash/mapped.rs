//! The parts of an image that matter, with the checksums that they are known to have.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::super::{
    bmap::Bmap,
    map::{BLOCK, Map},
};
use crate::hex::hex;

/// Parts of an image, in bytes and in rising order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The image's size, where it is known.
    pub size: Option<u64>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    bytes: Range<u64>,
    sha256: Option<String>,
}

impl Mapped {
    /// All of an image.
    pub fn all(size: Option<u64>) -> Self {
        let bytes = 0..size.unwrap_or(u64::MAX);
        Mapped {
            size,
            parts: vec![Part {
                bytes,
                sha256: None,
            }],
        }
    }

    /// How many bytes matter, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        let lengths = self
            .parts
            .iter()
            .map(|part| part.bytes.end - part.bytes.start);
        self.size.map(|_| lengths.sum())
    }

    /// From here on, byte by byte.
    pub fn begin(&self) -> Passing<'_> {
        Passing {
            parts: &self.parts,
            sum: Sha256::new(),
        }
    }
}

impl From<Map> for Mapped {
    fn from(map: Map) -> Self {
        let part = |range: Range<u64>| Part {
            bytes: range.start * BLOCK..(range.end * BLOCK).min(map.size),
            sha256: None,
        };
        Mapped {
            size: Some(map.size),
            parts: map.mapped.iter().cloned().map(part).collect(),
        }
    }
}

impl From<Bmap> for Mapped {
    fn from(map: Bmap) -> Self {
        let part = |(range, sha256): (Range<u64>, Option<String>)| Part {
            bytes: range.start * map.block..(range.end * map.block).min(map.size),
            sha256,
        };
        Mapped {
            size: Some(map.size),
            parts: map.ranges.into_iter().map(part).collect(),
        }
    }
}

/// The image goes by, and what matters of it is taken out.
pub struct Passing<'a> {
    parts: &'a [Part],
    sum: Sha256,
}

impl Passing<'_> {
    /// The pieces of `bytes`, which begin at `at` in the image, that matter, each with its place.
    ///
    /// # Errors
    /// The range whose checksum is wrong.
    pub fn pieces<'b>(
        &mut self,
        at: u64,
        bytes: &'b [u8],
    ) -> Result<Vec<(u64, &'b [u8])>, Range<u64>> {
        let end = at + bytes.len() as u64;
        let mut pieces = Vec::new();
        while let Some(part) = self.parts.first() {
            let common = part.bytes.start.max(at)..part.bytes.end.min(end);
            if common.start < common.end {
                let inside = (common.start - at) as usize..(common.end - at) as usize;
                let piece = &bytes[inside];
                if part.sha256.is_some() {
                    self.sum.update(piece);
                }
                pieces.push((common.start, piece));
            }
            if part.bytes.end > end {
                break;
            }
            let sum = std::mem::take(&mut self.sum);
            if part
                .sha256
                .as_ref()
                .is_some_and(|known| *known != hex(&sum.finalize()))
            {
                return Err(part.bytes.clone());
            }
            self.parts = &self.parts[1..];
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(bytes: &[u8]) -> Option<String> {
        Some(hex(&Sha256::digest(bytes)))
    }

    #[test]
    fn what_has_another_checksum_is_told() {
        let image: Vec<u8> = (0..100).collect();
        let mapped = |good: bool| Mapped {
            size: Some(100),
            parts: vec![Part {
                bytes: 10..90,
                sha256: sum(if good { &image[10..90] } else { b"other" }),
            }],
        };
        for step in [1, 7, 50, 100] {
            for good in [true, false] {
                let mapped = mapped(good);
                let mut passing = mapped.begin();
                let all = image.chunks(step).zip(0u64..);
                let passed =
                    all.map(|(chunk, index)| passing.pieces(index * step as u64, chunk).map(drop));
                let passed: Result<Vec<_>, _> = passed.collect();
                assert_eq!(passed.is_ok(), good, "{step}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_byte_that_matters_is_taken_once(
            gaps in prop::collection::vec((1u64..30, 1u64..30), 0..6),
            steps in prop::collection::vec(1usize..60, 1..12),
        ) {
            let mut at = 0;
            let mut wanted = Vec::new();
            let mut parts = Vec::new();
            for (gap, length) in gaps {
                let bytes = at + gap..at + gap + length;
                at = bytes.end;
                wanted.extend(bytes.clone());
                parts.push(Part { bytes, sha256: None });
            }
            let size = at + 10;
            let mapped = Mapped { size: Some(size), parts };
            let image: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
            let (mut taken, mut from, mut passing) = (Vec::new(), 0, mapped.begin());
            for step in steps.iter().cycle() {
                let end = (from + step).min(image.len());
                for (at, piece) in passing.pieces(from as u64, &image[from..end]).unwrap() {
                    prop_assert!(piece.iter().zip(at..).all(|(byte, at)| *byte == at as u8));
                    taken.extend(at..at + piece.len() as u64);
                }
                from = end;
                if from == image.len() {
                    break;
                }
            }
            prop_assert_eq!(taken, wanted);
        }
    }
}
