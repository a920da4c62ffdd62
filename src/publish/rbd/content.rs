//! What becomes the content of a block device: a part of an image, without what no file system uses.

use std::{
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
};

use sha2::{Digest, Sha256};

use crate::{
    disk::Volume,
    error::{Context, Kind, Result},
    finish::map::{BLOCK, Map},
    hex::hex,
};

/// How much is read at once, in bytes.
const CHUNK: u64 = 1 << 20;

/// It.
#[derive(Debug)]
pub struct Content {
    image: File,
    window: Range<u64>,
    /// What of the image matters, in bytes.
    mapped: Vec<Range<u64>>,
}

impl Content {
    /// The bytes `window` of `image`, in which there are these `volumes`.
    ///
    /// # Errors
    /// [`Kind::Host`] when the image cannot be read.
    pub fn of(image: &File, volumes: &[Volume], window: Range<u64>) -> Result<Self> {
        let failed = || "cannot read the image".to_owned();
        let map = Map::of(image, volumes).context(Kind::Host, failed)?;
        let in_window = |range: Range<u64>| {
            let start = (range.start * BLOCK).max(window.start);
            let end = (range.end * BLOCK).min(window.end);
            (start < end).then_some(start..end)
        };
        let mapped = map.mapped.into_iter().filter_map(in_window).collect();
        Ok(Content {
            image: image.try_clone().context(Kind::Host, failed)?,
            window,
            mapped,
        })
    }

    /// Its size, in bytes.
    pub fn size(&self) -> u64 {
        self.window.end - self.window.start
    }

    /// SHA-256 of all chunks that are not only zeros, each behind its place: the same however the file is stored.
    ///
    /// # Errors
    /// [`Kind::Host`] when the image cannot be read.
    pub fn sha256(&self) -> Result<String> {
        let mut hash = Sha256::new();
        self.each_chunk(|at, chunk| {
            if chunk.iter().any(|byte| *byte != 0) {
                hash.update(at.to_le_bytes());
                hash.update(chunk);
            }
            Ok(())
        })
        .context(Kind::Host, || "cannot read the image".into())?;
        Ok(hex(&hash.finalize()))
    }

    /// Writes all of it to `to`, and tells `at` how far that is. A pipe that nobody reads any more is the end of it, and no
    /// error: who reads says why.
    ///
    /// # Errors
    /// [`Kind::Host`] when the image cannot be read.
    pub fn write(&self, to: &mut dyn Write, at: &mut dyn FnMut(u64)) -> Result<()> {
        let written = self.each_chunk(|place, chunk| {
            to.write_all(chunk)?;
            at(place + chunk.len() as u64);
            Ok(())
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context(Kind::Host, || "cannot read the image".into()),
        }
    }

    /// Calls `with` for each chunk, with its place in the content; what does not matter is zeros.
    fn each_chunk(&self, mut with: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK as usize];
        let mut mapped = self.mapped.iter().peekable();
        let mut start = self.window.start;
        while start < self.window.end {
            let end = (start + CHUNK).min(self.window.end);
            let chunk = &mut chunk[..(end - start) as usize];
            chunk.fill(0);
            while let Some(range) = mapped.peek().filter(|range| range.start < end) {
                let part = range.start.max(start)..range.end.min(end);
                let place = (part.start - start) as usize..(part.end - start) as usize;
                self.image.read_exact_at(&mut chunk[place], part.start)?;
                if range.end > end {
                    break;
                }
                mapped.next();
            }
            with(start - self.window.start, chunk)?;
            start = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_it_is_and_named_alike_however_it_is_stored() {
        let sparse = tempfile::tempfile().unwrap();
        sparse.set_len(9 << 20).unwrap();
        sparse.write_all_at(b"outside", 0).unwrap();
        sparse.write_all_at(b"inside", (3 << 20) + 100).unwrap();
        sparse.write_all_at(b"end", (8 << 20) - 3).unwrap();
        let full = tempfile::tempfile().unwrap();
        let mut all = vec![0; 9 << 20];
        sparse.read_exact_at(&mut all, 0).unwrap();
        full.write_all_at(&all, 0).unwrap();
        let window = 512..8 << 20;
        let contents = [&sparse, &full].map(|file| Content::of(file, &[], window.clone()).unwrap());
        for content in &contents {
            let (mut written, mut last) = (Vec::new(), 0);
            content.write(&mut written, &mut |at| last = at).unwrap();
            assert!(written == all[512..8 << 20]);
            assert_eq!(last, content.size());
        }
        let [one, other] = contents.map(|content| content.sha256().unwrap());
        assert_eq!(one, other);
        full.write_all_at(b"x", 5 << 20).unwrap();
        let changed = Content::of(&full, &[], window).unwrap();
        assert_ne!(changed.sha256().unwrap(), one);
    }
}
