//! Copies an image: by sharing its blocks where the file system can, else only its data.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

use super::sparse;
use crate::{event::Copied, sys};

/// How much is copied between two reports of progress, in bytes.
const STEP: u64 = 64 << 20;

/// The buffer for copying by hand, in bytes.
const BUFFER: usize = 1 << 20;

/// Makes the empty file `to` a copy of the `size` bytes of `from`. Moves `from`'s offset.
///
/// `progress` is told how far it is, in bytes from the start, holes included.
pub fn copy(
    from: &File,
    to: &File,
    size: u64,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Copied> {
    if sys::file::clone_file(from, to).is_ok() {
        progress(size);
        return Ok(Copied::Shared);
    }
    to.set_len(size)?;
    let mut method = Copied::Extents;
    let mut at = 0;
    while at < size {
        let Some(data) = sys::file::next_data(from, at)? else {
            break;
        };
        let end = data.end.min(size);
        copy_data(from, to, data.start..end, &mut method, progress)?;
        at = end;
    }
    progress(size);
    Ok(method)
}

/// Copies one range of data, and changes `method` where the kernel cannot do it by itself.
fn copy_data(
    from: &File,
    to: &File,
    range: Range<u64>,
    method: &mut Copied,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let step = (range.end - at).min(STEP);
        let copied = match *method {
            Copied::ReadWrite => copy_by_hand(from, to, at, step)?,
            _ => match sys::file::copy_range(from, to, at, step) {
                Ok(copied) if copied > 0 => copied,
                Err(error) if sys::file::is_full(&error) => return Err(error),
                // Another file system, or one of the many that fail here in their own ways; if it
                // was a real error, reading or writing meets it again.
                _ => {
                    *method = Copied::ReadWrite;
                    continue;
                }
            },
        };
        at += copied;
        progress(at);
    }
    Ok(())
}

fn copy_by_hand(from: &File, to: &File, at: u64, len: u64) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER.min(len as usize)];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(BUFFER as u64) as usize;
        from.read_exact_at(&mut buffer[..part], at + done)?;
        sparse::write_data(to, &buffer[..part], at + done)?;
        done += part as u64;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::decode::testing::image;
    use std::os::unix::fs::MetadataExt;

    fn sparse_file(seed: u64) -> (File, Vec<u8>) {
        let mut bytes = vec![0; 1 << 20];
        bytes.extend(image(seed, 40));
        bytes.resize(6 << 20, 0);
        let file = tempfile::tempfile().unwrap();
        sparse::write_data(&file, &bytes, 0).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        (file, bytes)
    }

    fn read(file: &File, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn the_copy_is_equal_and_as_sparse() {
        let (from, bytes) = sparse_file(4);
        let to = tempfile::tempfile().unwrap();
        let mut last = 0;
        copy(&from, &to, bytes.len() as u64, &mut |at| last = at).unwrap();
        assert_eq!(last, bytes.len() as u64);
        assert!(read(&to, bytes.len()) == bytes);
        assert!(to.metadata().unwrap().blocks() <= from.metadata().unwrap().blocks() + 64);
    }

    #[test]
    fn copying_by_hand_gives_the_same() {
        let (from, bytes) = sparse_file(5);
        let to = tempfile::tempfile().unwrap();
        let all = 0..bytes.len() as u64;
        copy_data(&from, &to, all, &mut Copied::ReadWrite, &mut |_| {}).unwrap();
        to.set_len(bytes.len() as u64).unwrap();
        assert!(read(&to, bytes.len()) == bytes);
    }

    #[test]
    fn another_file_system_is_no_hindrance() {
        let to = tempfile::tempfile_in("/dev/shm").expect("a tmpfs at /dev/shm: mount one");
        let (from, bytes) = sparse_file(6);
        copy(&from, &to, bytes.len() as u64, &mut |_| {}).unwrap();
        assert!(read(&to, bytes.len()) == bytes);
    }
}
