//! Putting the dispatcher in front of qemu: one file in memory, one start by the kernel.
//!
//! A second program in between would cost a second exec, and with it the rights of programs with file
//! capabilities. So the dispatcher becomes a segment of qemu's own file, and the entry is its.

use std::{fs::File, os::unix::fs::FileExt};

use crate::{
    elf::program::{HEADER_SIZE, ProgramHeader, read_program},
    error::{Context, Error, Kind, Result},
    twins::dispatcher::{
        self,
        format::{ENTRY, PAGE, Settings},
    },
};

// Places in an ELF header.
const E_ENTRY: u64 = 24;
const E_PHOFF: u64 = 32;
const E_PHNUM: u64 = 56;

/// Whether there is a dispatcher for this machine.
pub fn exists() -> bool {
    !dispatcher::PROGRAM.is_empty()
}

/// Changes `qemu`, a copy of the emulator's program, so that it starts with the dispatcher; of `settings` all but
/// the emulator's own entry.
///
/// # Errors
/// [`Kind::Host`], when it is not such a program as qemu is.
pub fn put_before(qemu: &mut File, mut settings: Settings) -> Result<()> {
    let failed = || "cannot put the dispatcher in front of qemu".to_owned();
    let unfit = || Error::host(failed()).hint("use a static qemu as distributions have it");
    let program = read_program(qemu).context(Kind::Host, failed)?;
    let program = program.ok_or_else(unfit)?;
    let size = qemu.metadata().context(Kind::Host, failed)?.len();
    let first = program.loaded().next().ok_or_else(unfit)?;
    let end = program.end().ok_or_else(unfit)?;
    // The same distance from the first segment in the file and in memory: Linux before 5.18 tells a program by
    // the one where the other is.
    let start = end.max(first.address.checked_add(size).ok_or_else(unfit)?);
    let address = start.checked_next_multiple_of(PAGE).ok_or_else(unfit)?;
    let offset = address - first.address;

    let count = program.headers.len() as u16 + 1;
    let code_at = (u64::from(count * HEADER_SIZE)).next_multiple_of(PAGE);
    settings.emulator = program.entry as i64 - (address + code_at) as i64;
    let code = dispatcher::program(&settings);
    let length = code_at + code.len() as u64;
    let ours = ProgramHeader {
        kind: ProgramHeader::LOAD,
        flags: 5, // readable and executable
        offset,
        address,
        in_file: length,
        in_memory: length,
        align: PAGE,
    };
    // After the last one that is mapped: they must be in the order of their addresses.
    let mut headers = program.headers;
    let last = headers.iter().rposition(|h| h.kind == ProgramHeader::LOAD);
    headers.insert(last.ok_or_else(unfit)? + 1, ours);

    let entry = address + code_at + ENTRY as u64;
    let table = headers.into_iter().flat_map(ProgramHeader::to_bytes);
    let changes: [(u64, &[u8]); 5] = [
        (offset, &table.collect::<Vec<_>>()),
        (offset + code_at, &code),
        (E_ENTRY, &entry.to_le_bytes()),
        (E_PHOFF, &offset.to_le_bytes()),
        (E_PHNUM, &count.to_le_bytes()),
    ];
    for (at, bytes) in changes {
        qemu.write_all_at(bytes, at).context(Kind::Host, failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn settings() -> Settings {
        Settings {
            emulator: 0,
            device: 7,
            cpu: [0; 32],
            release: [0; 80],
        }
    }

    /// A copy of this test's own program, which is an ELF program as good as any.
    fn copy() -> (File, crate::elf::program::Program) {
        let mut file = tempfile::tempfile().unwrap();
        std::io::copy(&mut File::open("/proc/self/exe").unwrap(), &mut file).unwrap();
        let program = read_program(&mut file).unwrap().unwrap();
        (file, program)
    }

    #[test]
    fn the_dispatcher_is_one_more_segment_and_the_entry() {
        if !exists() {
            return crate::skip::skip("the dispatcher is a program for x86_64");
        }
        let (mut file, before) = copy();
        put_before(&mut file, settings()).unwrap();
        let after = read_program(&mut file).unwrap().unwrap();
        assert_eq!(after.headers.len(), before.headers.len() + 1);
        let mut new = after.headers.iter();
        let ours = new.find(|header| !before.headers.contains(header)).unwrap();
        assert_eq!((ours.kind, ours.flags), (ProgramHeader::LOAD, 5));
        assert_eq!(ours.offset, ours.address);
        assert!(ours.address >= before.end().unwrap());
        assert!((ours.address..ours.address + ours.in_memory).contains(&after.entry));
        assert!(after.loaded().is_sorted_by_key(|header| header.address));
        // The way back: from the settings to what was the entry.
        let mut found = [0; 8];
        let at = after.entry - ENTRY as u64;
        file.read_exact_at(&mut found, at).unwrap();
        let back = i64::from_le_bytes(found);
        assert_eq!(at.checked_add_signed(back), Some(before.entry));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"#!/bin/sh\n").unwrap();
        let error = put_before(&mut file, settings()).unwrap_err();
        assert_eq!(error.kind(), Kind::Host);
    }
}
