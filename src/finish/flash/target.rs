//! The disk while it is written: the first bytes are kept back to the end, and everything is remembered by its checksum.

use std::{fs::File, io, os::unix::fs::FileExt};

use sha2::{Digest, Sha256};

use crate::{event::Progress, sys::disk_device};

/// How much is kept back, in bytes: a disk without its beginning has no partitions, and nothing boots from it.
const FIRST: u64 = 1 << 20;

/// After how much the disk is waited for, in bytes: so what is said of its rate is true, and memory is not full of it.
const SYNC: u64 = 64 << 20;

/// A piece that was written.
struct Piece {
    at: u64,
    length: usize,
    sum: [u8; 32],
}

/// A disk that is being written.
pub struct Target<'a> {
    disk: &'a File,
    /// What is kept back, with its place.
    first: Vec<(u64, Vec<u8>)>,
    pieces: Vec<Piece>,
    written: u64,
    unsynced: u64,
}

impl<'a> Target<'a> {
    /// From now on nothing boots from `disk`.
    pub fn new(disk: &'a File) -> io::Result<Self> {
        let zeros = vec![0; FIRST.min(disk_device::size(disk)?) as usize];
        disk.write_all_at(&zeros, 0)?;
        disk.sync_data()?;
        Ok(Target {
            disk,
            first: Vec::new(),
            pieces: Vec::new(),
            written: 0,
            unsynced: 0,
        })
    }

    /// Writes a piece, or keeps it.
    pub fn write(&mut self, at: u64, bytes: &[u8], progress: &dyn Progress) -> io::Result<()> {
        let kept = FIRST.saturating_sub(at).min(bytes.len() as u64) as usize;
        let (first, rest) = bytes.split_at(kept);
        if !first.is_empty() {
            self.first.push((at, first.to_vec()));
        }
        if !rest.is_empty() {
            self.put(at + kept as u64, rest)?;
        }
        self.written += bytes.len() as u64;
        progress.at(self.written);
        Ok(())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_all_at(bytes, at)?;
        self.pieces.push(Piece {
            at,
            length: bytes.len(),
            sum: Sha256::digest(bytes).into(),
        });
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC {
            self.disk.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// The backup of a gpt that was there before, at the end of the disk, goes if the image does not reach it: some would
    /// take it for the table.
    pub fn clear_old_backup(&self, image: u64) -> io::Result<()> {
        let size = disk_device::size(self.disk)?;
        let Some(last) = size.checked_sub(512).filter(|last| *last >= image) else {
            return Ok(());
        };
        let mut sector = [0; 512];
        self.disk.read_exact_at(&mut sector, last)?;
        match sector.starts_with(b"EFI PART") {
            true => self.disk.write_all_at(&[0; 512], last),
            false => Ok(()),
        }
    }

    /// Writes what was kept back, when all else is on the disk.
    pub fn complete(&mut self) -> io::Result<()> {
        self.disk.sync_all()?;
        for (at, bytes) in std::mem::take(&mut self.first) {
            self.put(at, &bytes)?;
        }
        self.disk.sync_all()
    }

    /// How much was written, in bytes.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Reads everything back; the place of the first piece that is not what was written.
    pub fn compare(&self, progress: &dyn Progress) -> io::Result<Option<u64>> {
        disk_device::forget(self.disk)?;
        let mut buffer = Vec::new();
        let mut read = 0;
        for piece in &self.pieces {
            buffer.resize(piece.length, 0);
            self.disk.read_exact_at(&mut buffer, piece.at)?;
            if Sha256::digest(&buffer)[..] != piece.sum {
                return Ok(Some(piece.at));
            }
            read += piece.length as u64;
            progress.at(read);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Silent;

    fn disk(size: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![0xa5; size as usize], 0).unwrap();
        file
    }

    fn read(file: &File, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).unwrap();
        bytes
    }

    #[test]
    fn the_beginning_comes_last() {
        let disk = disk(4 << 20);
        let mut target = Target::new(&disk).unwrap();
        let image = vec![7; 3 << 20];
        // Across the border, in two pieces.
        target.write(512, &image[..100_000], &Silent).unwrap();
        target.write(900_000, &image[..1 << 20], &Silent).unwrap();
        assert_eq!(read(&disk, 0, 1 << 20), vec![0; 1 << 20]);
        assert_eq!(read(&disk, 1 << 20, 100), vec![7; 100]);
        target.complete().unwrap();
        assert_eq!(read(&disk, 512, 100_000), vec![7; 100_000]);
        assert_eq!(read(&disk, 900_000, 1 << 20), vec![7; 1 << 20]);
        assert_eq!(read(&disk, 0, 512), vec![0; 512]);
        assert_eq!(target.written(), 100_000 + (1 << 20));
        assert_eq!(target.compare(&Silent).unwrap(), None);
        disk.write_all_at(&[8], 1_500_000).unwrap();
        assert_eq!(target.compare(&Silent).unwrap(), Some(1 << 20));
    }

    #[test]
    fn only_an_old_gpt_goes() {
        let disk = disk(2 << 20);
        let target = Target::new(&disk).unwrap();
        let last = (2 << 20) - 512;
        target.clear_old_backup(1 << 20).unwrap();
        assert_eq!(read(&disk, last, 512), vec![0xa5; 512]);
        disk.write_all_at(b"EFI PART", last).unwrap();
        // The image's own.
        target.clear_old_backup(2 << 20).unwrap();
        assert_eq!(read(&disk, last, 8), b"EFI PART");
        target.clear_old_backup(1 << 20).unwrap();
        assert_eq!(read(&disk, last, 512), vec![0; 512]);
    }
}
