//! A window over a reader, such as one partition of an image.

use std::io::{self, Read, Seek, SeekFrom};

/// `len` bytes of `inner` from `start`, seen as a reader of its own.
#[derive(Debug)]
pub struct Slice<R> {
    inner: R,
    start: u64,
    len: u64,
    at: u64,
}

impl<R: Read + Seek> Slice<R> {
    /// The window of `len` bytes from byte `start`; cut where the two together overflow.
    pub fn new(inner: R, start: u64, len: u64) -> Self {
        let len = len.min(u64::MAX - start);
        Slice {
            inner,
            start,
            len,
            at: 0,
        }
    }
}

impl<R: Read + Seek> Read for Slice<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let want = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        self.inner.seek(SeekFrom::Start(self.start + self.at))?;
        let got = self.inner.read(&mut buf[..want])?;
        self.at += got as u64;
        Ok(got)
    }
}

impl<R: Read + Seek> Seek for Slice<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn nothing_outside_the_window_is_seen() {
        let mut slice = Slice::new(Cursor::new(b"0123456789".to_vec()), 3, 4);
        let mut all = Vec::new();
        slice.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"3456");
        slice.seek(SeekFrom::End(-1)).unwrap();
        let mut rest = Vec::new();
        slice.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"6");
        slice.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(slice.read(&mut [0; 8]).unwrap(), 0);
        assert!(slice.seek(SeekFrom::End(-5)).is_err());
    }
}
