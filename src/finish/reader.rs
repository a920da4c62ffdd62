//! An image as a stream: what it does not store is not read.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
};

use crate::sys::file::next_data;

/// All bytes of a file, from its beginning. Leaves the file's offset alone, so several can read one file.
pub struct Sparse<'a> {
    file: &'a File,
    at: u64,
    size: u64,
    /// The next bytes that are stored, at or behind `at`.
    data: Range<u64>,
}

impl<'a> Sparse<'a> {
    /// Of the `size` bytes of `file`.
    pub fn new(file: &'a File, size: u64) -> Self {
        Sparse {
            file,
            at: 0,
            size,
            data: 0..0,
        }
    }
}

impl Read for Sparse<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        if self.at >= self.data.end {
            let rest = self.size..self.size;
            self.data = next_data(self.file, self.at)?.unwrap_or(rest);
        }
        let (end, stored) = match self.at < self.data.start {
            true => (self.data.start, false),
            false => (self.data.end, true),
        };
        let left = end.min(self.size) - self.at;
        let count = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = match stored {
            true => self.file.read_at(&mut buffer[..count], self.at)?,
            false => {
                buffer[..count].fill(0);
                count
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_data_are_all_there() {
        let file = tempfile::tempfile().unwrap();
        for (at, bytes) in [(0, &b"first"[..]), (5 << 20, b"second"), (9 << 20, b"last")] {
            file.write_all_at(bytes, at).unwrap();
        }
        let size = (9 << 20) + 4;
        for (length, size) in [
            (size, size),
            ((10 << 20) + 7, (10 << 20) + 7),
            (size, 6 << 20),
        ] {
            file.set_len(length).unwrap();
            let mut whole = vec![0; size as usize];
            file.read_exact_at(&mut whole, 0).unwrap();
            let mut read = Vec::new();
            Sparse::new(&file, size).read_to_end(&mut read).unwrap();
            assert!(read == whole, "{size}");
        }
        // A file that became shorter is the end, not an endless wait.
        file.set_len(10).unwrap();
        let mut read = Vec::new();
        Sparse::new(&file, 20)
            .take(20)
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(&read[..5], b"first");
    }
}
