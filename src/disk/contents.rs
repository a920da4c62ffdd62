//! What is on an image: its partitions, or one file system from end to end.

use std::io::{Read, Seek};

use super::{
    partition::{Partition, PartitionType, WHOLE},
    probe::probe,
    table::has_table,
    volume::{self, Volume},
};
use crate::error::Result;

/// The volumes of the image `name` of `size` bytes: its partitions, or where it has no partition table, the file system
/// that fills it, if a Linux system can have its root there.
///
/// # Errors
/// As [`volume::read`].
pub fn read<R: Read + Seek + Copy>(image: R, size: u64, name: &str) -> Result<Vec<Volume>> {
    let mut reader = image;
    if !has_table(&mut reader, name)? {
        let fs = probe(&mut reader).filter(|fs| fs.kind.can_be_root());
        if fs.is_some() {
            let partition = whole_of(size);
            return Ok(vec![Volume { partition, fs }]);
        }
    }
    let (_, volumes) = volume::read(image, size, name)?;
    Ok(volumes)
}

/// All of a disk, as if it were a partition. Its type says nothing.
fn whole_of(size: u64) -> Partition {
    Partition {
        number: WHOLE,
        start: 0,
        size,
        type_: PartitionType::Dos(0),
        uuid: None,
        name: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, SeekFrom};

    use super::*;
    use crate::disk::table::tests::{MIB, dos_image};

    /// A reader that is `Copy`, as that of a file.
    #[derive(Clone, Copy)]
    struct Shared<'a>(&'a std::cell::RefCell<Cursor<Vec<u8>>>);

    impl Read for Shared<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.borrow_mut().read(buf)
        }
    }

    impl Seek for Shared<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.borrow_mut().seek(to)
        }
    }

    fn volumes(image: &[u8]) -> Result<Vec<Volume>> {
        let shared = std::cell::RefCell::new(Cursor::new(image.to_vec()));
        read(Shared(&shared), image.len() as u64, "x.img")
    }

    /// With an ext superblock, as at the start of a file system.
    fn marked(mut image: Vec<u8>) -> Vec<u8> {
        image[1080..1082].copy_from_slice(&0xef53u16.to_le_bytes());
        image
    }

    #[test]
    fn a_file_system_from_end_to_end_is_one_volume() {
        let found = volumes(&marked(vec![0; MIB as usize])).unwrap();
        let [whole] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((whole.partition.number, whole.partition.size), (WHOLE, MIB));
        // Boot loaders leave the mark of a table without partitions before it.
        assert_eq!(volumes(&marked(dos_image(1, &[]))).unwrap(), found);
    }

    #[test]
    fn a_table_comes_before_what_an_older_file_system_left() {
        let image = marked(dos_image(1, &[(1, 0x83, 64, 64)]));
        assert_eq!(volumes(&image).unwrap()[0].partition.number, 2);
        // A damaged one is an error, and not passed over.
        let image = marked(dos_image(1, &[(1, 0x83, 64, 9999)]));
        assert!(volumes(&image).unwrap_err().to_string().contains("beyond"));
    }

    #[test]
    fn what_cannot_be_a_root_has_no_table() {
        let mut image = vec![0; MIB as usize];
        assert!(volumes(&image).is_err());
        image[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
        let error = volumes(&image).unwrap_err().to_string();
        assert!(error.contains("LUKS, which is encrypted"), "{error}");
    }
}
