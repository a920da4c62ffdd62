//! Writes an image as a sparse file: blocks of zeros become holes.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

use crate::sys;

/// The unit in which zeros are looked for, in bytes: the block size of nearly every file system.
const BLOCK: usize = 4096;

/// How much is read, looked through and written at once, in bytes; a multiple of [`BLOCK`].
const CHUNK: usize = 1 << 20;

/// How much is written before the kernel is asked to begin putting it on the disk, in bytes.
const WRITEBACK: u64 = 32 << 20;

/// What stopped [`write()`].
#[derive(Debug)]
pub enum Stop {
    /// The reader failed.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
    /// There was more than `limit`.
    TooLarge,
    /// `check` refused the first bytes, with this.
    Refused(crate::error::Error),
}

/// Copies `input` to the empty `file`, whose length it sets; returns that length in bytes.
///
/// `check` sees the first chunk (1 MiB, or less where there is less) before anything is written.
/// `progress` is told how many bytes are done. More than `limit` bytes are refused.
pub fn write(
    input: &mut dyn Read,
    file: &File,
    limit: u64,
    check: &mut dyn FnMut(&[u8]) -> crate::error::Result<()>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Stop> {
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    let mut flushed = 0;
    loop {
        let filled = fill(input, &mut chunk).map_err(Stop::Read)?;
        if at == 0 {
            check(&chunk[..filled]).map_err(Stop::Refused)?;
        }
        if at + filled as u64 > limit {
            return Err(Stop::TooLarge);
        }
        write_data(file, &chunk[..filled], at).map_err(Stop::Write)?;
        at += filled as u64;
        progress(at);
        if filled < CHUNK {
            break;
        }
        if at - flushed >= WRITEBACK {
            sys::file::start_writeback(file, flushed..at);
            flushed = at;
        }
    }
    file.set_len(at).map_err(Stop::Write)?;
    Ok(at)
}

/// Fills `chunk` as far as `input` reaches.
fn fill(input: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match input.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes the blocks of `chunk` that are not all zeros, each run of them at once.
pub fn write_data(file: &File, chunk: &[u8], at: u64) -> io::Result<()> {
    let mut start = None;
    for offset in (0..chunk.len()).step_by(BLOCK) {
        let block = &chunk[offset..chunk.len().min(offset + BLOCK)];
        match (is_zero(block), start) {
            (true, Some(from)) => {
                file.write_all_at(&chunk[from..offset], at + from as u64)?;
                start = None;
            }
            (false, None) => start = Some(offset),
            _ => {}
        }
    }
    match start {
        Some(from) => file.write_all_at(&chunk[from..], at + from as u64),
        None => Ok(()),
    }
}

/// Whether all of `block` is zero. Most blocks that are not show it in their first bytes.
fn is_zero(block: &[u8]) -> bool {
    let (head, rest) = block.split_at(block.len().min(64));
    let or = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all | byte);
    or(head) == 0 && rest.chunks(512).all(|part| or(part) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::decode::testing::image;
    use std::os::unix::fs::MetadataExt;

    fn write_all(bytes: &[u8], limit: u64) -> Result<(File, u64), Stop> {
        let file = tempfile::tempfile().unwrap();
        let mut input = bytes;
        let size = write(&mut input, &file, limit, &mut |_| Ok(()), &mut |_| {})?;
        Ok((file, size))
    }

    fn read(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn zeros_are_holes_also_at_the_end() {
        let mut bytes = vec![0; 8 << 20];
        bytes[5 << 20] = 1;
        let (file, size) = write_all(&bytes, u64::MAX).unwrap();
        assert_eq!(size, bytes.len() as u64);
        assert!(file.metadata().unwrap().blocks() <= 64);
        assert_eq!(read(&file), bytes);
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        assert!(write_all(&[1; 100], 100).is_ok());
        assert!(matches!(write_all(&[1; 101], 100), Err(Stop::TooLarge)));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_reads_back(seed: u64, blocks in 0..600_usize, tail in 0..5000_usize) {
            let mut bytes = image(seed, blocks);
            bytes.resize(bytes.len() + tail, (seed % 2) as u8);
            let (file, size) = write_all(&bytes, u64::MAX).unwrap();
            proptest::prop_assert_eq!(size, bytes.len() as u64);
            proptest::prop_assert!(read(&file) == bytes);
        }
    }
}
