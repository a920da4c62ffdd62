//! How large an xz file says that its content is, from the index at its end (.xz file format 1.2.1, sections 2.1.2
//! and 4). For messages only.

use std::{fs::File, os::unix::fs::FileExt};

/// The footer, in bytes.
const FOOTER: u64 = 12;

/// The longest index that is read, in bytes: some 100,000 blocks.
const INDEX: u64 = 1 << 20;

/// The size of the content of the last stream in `file`, mostly the only one.
pub fn unpacked(file: &File) -> Option<u64> {
    let end = file.metadata().ok()?.len().checked_sub(FOOTER)?;
    let mut footer = [0; FOOTER as usize];
    file.read_exact_at(&mut footer, end).ok()?;
    let [.., b'Y', b'Z'] = footer else {
        return None;
    };
    let stored = u32::from_le_bytes(footer[4..8].try_into().ok()?);
    let length = (u64::from(stored) + 1) * 4;
    let start = end.checked_sub(length).filter(|_| length <= INDEX)?;
    let mut index = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut index, start).ok()?;
    let mut rest = index.strip_prefix(&[0])?;
    let records = number(&mut rest)?;
    let mut size = 0_u64;
    for _ in 0..records {
        // The block's own size comes first.
        number(&mut rest)?;
        size = size.checked_add(number(&mut rest)?)?;
    }
    Some(size)
}

/// A multibyte integer, of at most nine bytes with seven bits in each.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> Option<u64> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        unpacked(&file)
    }

    #[test]
    fn it_is_what_was_packed_and_of_nonsense_nothing() {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(&vec![7; 300_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(of(&packed), Some(300_000));
        assert_eq!(of(b""), None);
        assert_eq!(of(&packed[..packed.len() - 1]), None);
        for at in packed.len() - 40..packed.len() {
            let mut broken = packed.clone();
            broken[at] ^= 0x81;
            // Whatever it is, it comes at once.
            let _ = of(&broken);
        }
    }
}
