//! The program headers of 64-bit ELF programs: what of a file is mapped where.

use std::io::{self, Read, Seek};

use super::{Fields, read_array};

/// A program header of a 64-bit little-endian ELF file (`Elf64_Phdr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramHeader {
    /// `p_type`; [`ProgramHeader::LOAD`] is mapped.
    pub kind: u32,
    /// `p_flags`: 4 readable, 2 writable, 1 executable.
    pub flags: u32,
    /// Place in the file, in bytes.
    pub offset: u64,
    /// Place in memory.
    pub address: u64,
    /// Size in the file.
    pub in_file: u64,
    /// Size in memory.
    pub in_memory: u64,
    /// `p_align`.
    pub align: u64,
}

/// What a 64-bit little-endian ELF file says of how to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// `e_entry`.
    pub entry: u64,
    /// Where the program headers are in the file.
    pub headers_at: u64,
    /// The program headers.
    pub headers: Vec<ProgramHeader>,
}

/// More program headers than any program has.
const MAX_HEADERS: u16 = 64;
/// Of one program header.
pub const HEADER_SIZE: u16 = 56;

impl ProgramHeader {
    /// `p_type` of what is mapped.
    pub const LOAD: u32 = 1;

    /// As it is in a file.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = [self.kind, self.flags].map(u32::to_le_bytes).concat();
        let rest = [
            self.offset,
            self.address,
            self.address,
            self.in_file,
            self.in_memory,
            self.align,
        ];
        bytes.extend(rest.map(u64::to_le_bytes).concat());
        bytes
    }
}

impl Program {
    /// What is mapped of it, in the order of the file.
    pub fn loaded(&self) -> impl Iterator<Item = &ProgramHeader> {
        self.headers
            .iter()
            .filter(|header| header.kind == ProgramHeader::LOAD)
    }

    /// One more than the last address that it takes.
    pub fn end(&self) -> Option<u64> {
        self.loaded()
            .map(|header| header.address.checked_add(header.in_memory))
            .try_fold(0, |end, next| Some(end.max(next?)))
    }
}

/// Reads it; `None` where the file is no 64-bit little-endian ELF program.
///
/// # Errors
/// Only those of the reader.
pub fn read_program(reader: &mut (impl Read + Seek)) -> io::Result<Option<Program>> {
    let Some(head) = read_array::<64>(reader, 0)? else {
        return Ok(None);
    };
    let (each, count) = (head.u16(54), head.u16(56));
    if !head.has(0, b"\x7fELF\x02\x01") || each != HEADER_SIZE || count > MAX_HEADERS {
        return Ok(None);
    }
    let headers_at = head.u64(32);
    let mut headers = Vec::new();
    for index in 0..u64::from(count) {
        let Some(at) = headers_at.checked_add(index * u64::from(each)) else {
            return Ok(None);
        };
        let Some(header) = read_array::<56>(reader, at)? else {
            return Ok(None);
        };
        headers.push(ProgramHeader {
            kind: header.u32(0),
            flags: header.u32(4),
            offset: header.u64(8),
            address: header.u64(16),
            in_file: header.u64(32),
            in_memory: header.u64(40),
            align: header.u64(48),
        });
    }
    Ok(Some(Program {
        entry: head.u64(24),
        headers_at,
        headers,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_a_program_with_segments() {
        let mut file = std::fs::File::open("/proc/self/exe").unwrap();
        let program = read_program(&mut file).unwrap().unwrap();
        let first = program.loaded().next().unwrap();
        assert_eq!((first.offset, first.address), (0, 0));
        assert!(program.end().unwrap() > program.entry);
        // What is written is what was read.
        let at = program.headers_at as usize;
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let size = usize::from(HEADER_SIZE);
        for (index, header) in program.headers.iter().enumerate() {
            assert_eq!(header.to_bytes(), bytes[at + index * size..][..size]);
        }
    }

    #[test]
    fn nonsense_is_none() {
        for bytes in [&b"#!/bin/sh\n"[..], &[0; 64], b"\x7fELF\x02\x01"] {
            let read = read_program(&mut io::Cursor::new(bytes)).unwrap();
            assert_eq!(read, None);
        }
        let mut many = vec![0; 64];
        many[..6].copy_from_slice(b"\x7fELF\x02\x01");
        many[54] = 56;
        many[56] = 3;
        many[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(read_program(&mut io::Cursor::new(many)).unwrap(), None);
    }
}
