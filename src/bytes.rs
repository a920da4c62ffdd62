//! Reading hostile binary structures: bounded pieces of a file, and the little-endian fields in them.

use std::io::{self, Read, Seek, SeekFrom};

/// Reads `N` bytes at `at`; `None` where the data ends before.
pub(crate) fn read_array<const N: usize>(
    reader: &mut (impl Read + Seek),
    at: u64,
) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok(fill(reader, at, &mut bytes)?.then_some(bytes))
}

/// Reads `length` bytes at `at`; `None` where the data ends before. The caller bounds `length`.
pub(crate) fn read_vec(
    reader: &mut (impl Read + Seek),
    at: u64,
    length: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; length];
    Ok(fill(reader, at, &mut bytes)?.then_some(bytes))
}

fn fill(reader: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> io::Result<bool> {
    reader.seek(SeekFrom::Start(at))?;
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Little-endian fields of a structure; out of range reads as 0, which no valid structure relies on.
pub(crate) trait Fields {
    /// The bytes of the structure.
    fn bytes(&self) -> &[u8];

    /// The `N` bytes at `at`.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.bytes().get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().unwrap_or([0; N])
    }

    /// The byte at `at`.
    fn u8(&self, at: usize) -> u8 {
        self.array::<1>(at)[0]
    }

    /// The 16 bits at `at`.
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    /// The 32 bits at `at`.
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    /// The 64 bits at `at`.
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    /// Whether `magic` stands at `at`.
    fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.bytes()
            .get(at..)
            .is_some_and(|rest| rest.starts_with(magic))
    }
}

impl Fields for [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}
