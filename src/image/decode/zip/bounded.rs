//! A reader that gives no more than so many bytes, until it is told that more are wanted.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    rc::Rc,
};

/// The buffer, in bytes; every seek empties it.
const BUFFER: usize = 64 << 10;

/// A file, buffered and limited.
pub struct Bounded {
    file: BufReader<File>,
    left: Limit,
}

/// How much a [`Bounded`] still gives.
#[derive(Clone)]
pub struct Limit(Rc<Cell<u64>>);

impl Bounded {
    /// Gives `limit` bytes of `file`, however often it is asked for the same ones.
    pub fn new(file: File, limit: u64) -> (Self, Limit) {
        let left = Limit(Rc::new(Cell::new(limit)));
        let file = BufReader::with_capacity(BUFFER, file);
        let bounded = Bounded {
            file,
            left: left.clone(),
        };
        (bounded, left)
    }
}

impl Limit {
    /// From now on there is none.
    pub fn lift(&self) {
        self.0.set(u64::MAX);
    }
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.left.0.get();
        if left == 0 && !out.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the zip archive's directory is too long to be read",
            ));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let count = self.file.read(&mut out[..most])?;
        self.left.0.set(left - count as u64);
        Ok(count)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.file.stream_position()
    }
}
