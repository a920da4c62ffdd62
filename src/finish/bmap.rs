//! Block maps in the form of bmaptool, version 2.0: which blocks of an image matter, and their checksums.

use std::{
    fmt::Write,
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
};

use sha2::{Digest, Sha256};

use super::map::{BLOCK, Map};
use crate::hex::hex;

/// What stands in place of the map's own checksum while that is computed.
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How much is read at once, in bytes.
const CHUNK: u64 = 1 << 20;

/// The block map of `image`.
pub fn document(image: &File, map: &Map) -> io::Result<String> {
    let mut ranges = String::new();
    for range in &map.mapped {
        let sum = sum(image, map, range)?;
        let last = range.end - 1;
        let blocks = match range.start == last {
            true => last.to_string(),
            false => format!("{}-{last}", range.start),
        };
        let _ = writeln!(ranges, "        <Range chksum=\"{sum}\"> {blocks} </Range>");
    }
    let text = format!(
        "<?xml version=\"1.0\" ?>\n\
         <bmap version=\"2.0\">\n    \
             <ImageSize> {} </ImageSize>\n    \
             <BlockSize> {BLOCK} </BlockSize>\n    \
             <BlocksCount> {} </BlocksCount>\n    \
             <MappedBlocksCount> {} </MappedBlocksCount>\n    \
             <ChecksumType> sha256 </ChecksumType>\n    \
             <BmapFileChecksum> {NO_SUM} </BmapFileChecksum>\n    \
             <BlockMap>\n{ranges}    </BlockMap>\n\
         </bmap>\n",
        map.size,
        map.blocks(),
        map.mapped_blocks(),
    );
    let own = hex(&Sha256::digest(text.as_bytes()));
    Ok(text.replacen(NO_SUM, &own, 1))
}

/// The SHA-256 of a range of blocks, of which the last may be a part of one.
fn sum(image: &File, map: &Map, range: &Range<u64>) -> io::Result<String> {
    let end = (range.end * BLOCK).min(map.size);
    let mut at = range.start * BLOCK;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK as usize];
    while at < end {
        let part = &mut chunk[..(end - at).min(CHUNK) as usize];
        image.read_exact_at(part, at)?;
        hasher.update(&*part);
        at += part.len() as u64;
    }
    Ok(hex(&hasher.finalize()))
}

/// A block map that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bmap {
    /// The image's size, in bytes.
    pub size: u64,
    /// The size of a block, in bytes.
    pub block: u64,
    /// The blocks that matter, in rising order, each with its SHA-256 where the map has them.
    pub ranges: Vec<(Range<u64>, Option<String>)>,
}

/// The largest block map that is read, in bytes: some 100 for each range.
const LIMIT: u64 = 64 << 20;

impl Bmap {
    /// Reads a map of any version from 1.2 on.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow its name.
    pub fn read(from: &mut dyn Read) -> Result<Self, String> {
        let mut text = String::new();
        let count = from.take(LIMIT).read_to_string(&mut text);
        if count.map_err(|error| format!("cannot be read: {error}"))? as u64 == LIMIT {
            return Err("is too large".into());
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let number = |name: &str| -> Result<u64, String> {
            let value = element(text, name).ok_or_else(|| format!("has no {name}"))?;
            value.parse().map_err(|_| format!("has a wrong {name}"))
        };
        if !text.contains("<bmap version=") {
            return Err("is no block map".into());
        }
        let sums = element(text, "ChecksumType").is_some_and(|kind| kind == "sha256");
        if let Some(own) = element(text, "BmapFileChecksum").filter(|_| sums) {
            let blank = "0".repeat(own.len());
            let computed = hex(&Sha256::digest(text.replacen(own, &blank, 1).as_bytes()));
            if computed != own {
                return Err("is damaged: its own checksum is wrong".into());
            }
        }
        let (size, block) = (number("ImageSize")?, number("BlockSize")?);
        if block == 0 || block > 1 << 20 || size == 0 {
            return Err("has a wrong BlockSize or ImageSize".into());
        }
        let blocks = size.div_ceil(block);
        let mut ranges: Vec<(Range<u64>, Option<String>)> = Vec::new();
        for piece in text.split("<Range").skip(1) {
            let wrong = || {
                format!(
                    "has a wrong range: {}",
                    piece.chars().take(60).collect::<String>()
                )
            };
            let (head, rest) = piece.split_once('>').ok_or_else(wrong)?;
            let (body, _) = rest.split_once('<').ok_or_else(wrong)?;
            let (first, last) = body
                .trim()
                .split_once('-')
                .unwrap_or((body.trim(), body.trim()));
            let parsed = (first.trim().parse::<u64>(), last.trim().parse::<u64>());
            let (Ok(first), Ok(last)) = parsed else {
                return Err(wrong());
            };
            let after = ranges.last().map_or(0, |(range, _)| range.end);
            if first < after || last < first || last >= blocks {
                return Err(wrong());
            }
            let sum = head
                .split_once("chksum=\"")
                .and_then(|(_, rest)| rest.split_once('"'));
            let sum = sum
                .map(|(sum, _)| sum.to_ascii_lowercase())
                .filter(|_| sums);
            ranges.push((first..last + 1, sum));
        }
        match ranges.is_empty() {
            true => Err("has no range".into()),
            false => Ok(Bmap {
                size,
                block,
                ranges,
            }),
        }
    }
}

/// The text of the first element `name`.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image() -> (File, Map) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(9 * BLOCK + 7).unwrap();
        file.write_all_at(b"first", 0).unwrap();
        file.write_all_at(b"last", 9 * BLOCK).unwrap();
        let map = Map {
            size: 9 * BLOCK + 7,
            mapped: vec![0..1, 4..6, 9..10],
        };
        (file, map)
    }

    #[test]
    fn what_is_written_is_read() {
        let (file, map) = image();
        let text = document(&file, &map).unwrap();
        let read = Bmap::read(&mut text.as_bytes()).unwrap();
        assert_eq!((read.size, read.block), (map.size, BLOCK));
        let ranges: Vec<_> = read.ranges.iter().map(|(range, _)| range.clone()).collect();
        assert_eq!(ranges, map.mapped);
        let zeros = hex(&Sha256::digest(vec![0; 2 * BLOCK as usize]));
        assert_eq!(read.ranges[1].1.as_deref(), Some(&*zeros));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let (file, map) = image();
        let text = document(&file, &map).unwrap();
        let wrong = |text: &str| Bmap::read(&mut text.as_bytes()).unwrap_err();
        assert_eq!(wrong("<html>"), "is no block map");
        assert!(wrong(&text.replace(" 4-5 ", " 4-6 ")).contains("its own checksum"));
        // An old one has none.
        let old = text.replace("ChecksumType", "Other");
        assert!(Bmap::read(&mut old.as_bytes()).is_ok());
        for (from, to) in [
            (" 4-5 ", " 4-1000 "),
            (" 4-5 ", " 5-4 "),
            (" 9 ", " 2 "),
            (" 9 ", " x "),
        ] {
            assert!(
                wrong(&old.replace(from, to)).contains("wrong range"),
                "{to}"
            );
        }
        assert!(wrong(&old.replace("> 4096 <", "> 0 <")).contains("BlockSize"));
        assert!(wrong(&old.replace("<Range", "<R")).contains("no range"));
    }

    proptest! {
        #[test]
        fn noise_never_panics(at in 0usize..900, with in "\\PC{0,12}") {
            let (file, map) = image();
            let mut text = document(&file, &map).unwrap().replace("ChecksumType", "Other");
            let at = at.min(text.len());
            if text.is_char_boundary(at) {
                text.insert_str(at, &with);
            }
            let _ = Bmap::read(&mut text.as_bytes());
        }
    }
}
