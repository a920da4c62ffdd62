//! Tells an ISO, the image of a CD, from the image of a disk.

use std::io::{Read, Seek};

use crate::{bytes::read_array, error::Error};

/// Where the first volume descriptor is, behind 16 sectors that anything may be in, such as a partition
/// table (ECMA-119, section 6.2).
const DESCRIPTOR: u64 = 16 * 2048;

/// Whether it is an ISO, whose first partition, if it has any, begins at `first`: not behind the descriptor. A disk
/// that was an ISO before may still have one, but all its partitions behind it.
pub fn is_iso(reader: &mut (impl Read + Seek), first: Option<u64>) -> bool {
    let magic = read_array::<5>(reader, DESCRIPTOR + 1);
    let marked = matches!(magic, Ok(Some(magic)) if &magic == b"CD001");
    marked && first.is_none_or(|start| start <= DESCRIPTOR)
}

/// The error for one.
pub fn refused(name: &str) -> Error {
    Error::image(format!(
        "{name} is an ISO, the image of a CD, not of a disk"
    ))
    .hint("take the image that the publisher makes for SD cards, often called preinstalled or raw")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_disk_that_was_an_iso_is_none() {
        let mut image = vec![0; 64 << 10];
        assert!(!is_iso(&mut Cursor::new(&image), None));
        assert!(!is_iso(
            &mut Cursor::new(&image[..DESCRIPTOR as usize + 3]),
            None
        ));
        image[DESCRIPTOR as usize + 1..][..5].copy_from_slice(b"CD001");
        assert!(is_iso(&mut Cursor::new(&image), None));
        assert!(is_iso(&mut Cursor::new(&image), Some(0)));
        assert!(!is_iso(&mut Cursor::new(&image), Some(1 << 20)));
    }
}
