//! The part of a file or block device that holds the file system. No byte outside it is touched.

use std::{fs::File, os::unix::fs::FileExt};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
};

use super::Outcome;

/// Below this many bytes a hole is not worth its own system call and block boundary.
const SMALLEST_HOLE: u64 = 64 << 10;

/// `size` bytes of `file` from `offset`, addressed from 0.
#[derive(Debug)]
pub(super) struct Device {
    file: File,
    offset: u64,
    size: u64,
}

impl Device {
    /// The window; `None` where it cannot exist.
    pub(super) fn new(file: File, offset: u64, size: u64) -> Option<Device> {
        let end = offset.checked_add(size)?;
        i64::try_from(end).ok()?;
        Some(Device { file, offset, size })
    }

    /// The size of the window in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn place(&self, at: u64, length: u64) -> Outcome<u64> {
        match at.checked_add(length) {
            Some(end) if end <= self.size => Ok(self.offset + at),
            _ => Err(Errno::EIO),
        }
    }

    /// Fills `into` from `at`.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> Outcome<()> {
        let place = self.place(at, into.len() as u64)?;
        self.file
            .read_exact_at(into, place)
            .map_err(|error| errno(&error))
    }

    /// Writes all of `from` at `at`.
    pub(super) fn write(&self, at: u64, from: &[u8]) -> Outcome<()> {
        let place = self.place(at, from.len() as u64)?;
        self.file
            .write_all_at(from, place)
            .map_err(|error| errno(&error))
    }

    /// Makes a range read as zeros: by a hole where that is possible, else by writing over what is
    /// not zero yet, so that a sparse file stays sparse.
    pub(super) fn zero(&self, at: u64, length: u64) -> Outcome<()> {
        let place = self.place(at, length)?;
        if length >= SMALLEST_HOLE {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Both fit: `new` checked the end of the window.
            if fallocate(&self.file, flags, place as i64, length as i64).is_ok() {
                return Ok(());
            }
        }
        let mut chunk = vec![0; length.min(128 << 10) as usize];
        let mut done = 0;
        while done < length {
            let want = (length - done).min(chunk.len() as u64) as usize;
            let part = &mut chunk[..want];
            self.read(at + done, part)?;
            if part.iter().any(|&byte| byte != 0) {
                part.fill(0);
                self.write(at + done, part)?;
            }
            done += want as u64;
        }
        Ok(())
    }

    /// Waits until everything written is on the medium.
    pub(super) fn sync(&self) -> Outcome<()> {
        self.file.sync_data().map_err(|error| errno(&error))
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
