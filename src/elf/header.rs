//! ELF headers: for which machine a program is, and whether it needs a dynamic loader.

use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};

use super::{Fields, read_array};

/// The machine a program is for (`e_machine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// i386 (3).
    I386,
    /// 32-bit ARM (40).
    Arm,
    /// x86_64 (62).
    #[serde(rename = "x86_64")]
    X86_64,
    /// aarch64 (183).
    Aarch64,
    /// 64-bit RISC-V (243, class 64).
    Riscv64,
    /// Anything else, by its number.
    Other(u16),
}

/// What the header of a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// The machine it is for.
    pub machine: Machine,
    /// 32 or 64.
    pub bits: u8,
    /// Little-endian, as every machine named above is in practice.
    pub little_endian: bool,
    /// Whether it has an interpreter (`PT_INTERP`): a dynamic program. A static one has none.
    pub dynamic: bool,
    /// `e_flags`; on 32-bit ARM `0x400` means hard float (armhf).
    pub flags: u32,
}

/// More program headers than any program has.
const MAX_HEADERS: u16 = 512;

/// The program header type of the interpreter's path.
const PT_INTERP: u32 = 3;

/// Reads the header of a program; `None` where it is not a well-formed ELF file.
///
/// # Errors
///
/// Only those of the reader.
pub fn read_elf(reader: &mut (impl Read + Seek)) -> io::Result<Option<Elf>> {
    // e_ident (16 bytes), then fields whose place depends on the class.
    let Some(head) = read_array::<52>(reader, 0)? else {
        return Ok(None);
    };
    let (bits, big) = match (head.u8(4), head.u8(5)) {
        (1, 1) => (32, false),
        (1, 2) => (32, true),
        (2, 1) => (64, false),
        (2, 2) => (64, true),
        _ => return Ok(None),
    };
    if !head.has(0, b"\x7fELF") {
        return Ok(None);
    }
    let half = |bytes: &[u8], at| {
        if big {
            bytes.u16(at).swap_bytes()
        } else {
            bytes.u16(at)
        }
    };
    let word = |bytes: &[u8], at| {
        if big {
            bytes.u32(at).swap_bytes()
        } else {
            bytes.u32(at)
        }
    };
    let Some(full) = read_array::<64>(reader, 0)?.or_else(|| {
        let mut padded = [0; 64];
        padded[..52].copy_from_slice(&head);
        (bits == 32).then_some(padded)
    }) else {
        return Ok(None);
    };
    let (table, flags_at) = match bits {
        64 if big => (full.u64(32).swap_bytes(), 48),
        64 => (full.u64(32), 48),
        _ => (u64::from(word(&full, 28)), 36),
    };
    let (each, count) = (half(&full, flags_at + 6), half(&full, flags_at + 8));
    if count > MAX_HEADERS || (count > 0 && each < 32) {
        return Ok(None);
    }
    let mut dynamic = false;
    for index in 0..count {
        let Some(at) = table.checked_add(u64::from(index) * u64::from(each)) else {
            return Ok(None);
        };
        let Some(kind) = read_array::<4>(reader, at)? else {
            return Ok(None);
        };
        dynamic |= word(&kind, 0) == PT_INTERP;
    }
    let machine = match (half(&full, 18), bits) {
        (3, _) => Machine::I386,
        (40, _) => Machine::Arm,
        (62, _) => Machine::X86_64,
        (183, _) => Machine::Aarch64,
        (243, 64) => Machine::Riscv64,
        (other, _) => Machine::Other(other),
    };
    let flags = word(&full, flags_at);
    Ok(Some(Elf {
        machine,
        bits,
        little_endian: !big,
        dynamic,
        flags,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[test]
    fn this_test_is_an_elf_of_this_machine() {
        let mut file = std::fs::File::open("/proc/self/exe").unwrap();
        let elf = read_elf(&mut file).unwrap().unwrap();
        assert!(elf.little_endian && elf.dynamic);
        assert_eq!(usize::from(elf.bits), usize::BITS as usize);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(elf.machine, Machine::X86_64);
        #[cfg(target_arch = "aarch64")]
        assert_eq!(elf.machine, Machine::Aarch64);
    }

    fn arm(headers: u16) -> Vec<u8> {
        let mut file = vec![0; 52 + 32 * usize::from(headers)];
        file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        file[18] = 40;
        file[28] = 52;
        file[37] = 4;
        file[42] = 32;
        file[44..46].copy_from_slice(&headers.to_le_bytes());
        file
    }

    #[test]
    fn a_static_hard_float_arm_program() {
        let elf = read_elf(&mut Cursor::new(arm(0))).unwrap().unwrap();
        assert_eq!(
            (elf.machine, elf.bits, elf.dynamic),
            (Machine::Arm, 32, false)
        );
        assert_eq!(elf.flags & 0x400, 0x400);
        let mut dynamic = arm(2);
        dynamic[52 + 32] = 3;
        assert!(
            read_elf(&mut Cursor::new(dynamic))
                .unwrap()
                .unwrap()
                .dynamic
        );
    }

    #[test]
    fn fuzz_elf() {
        let mut own = std::fs::read("/proc/self/exe").unwrap();
        own.truncate(64 << 10);
        crate::fuzz::run("elf", &[own, arm(3)], &["\x7fELF\x02\x01"], |bytes| {
            let mut file = Cursor::new(bytes);
            let header = read_elf(&mut file).map_err(|error| error.kind());
            let dynamic = super::super::read_dynamic(&mut file).map_err(|error| error.kind());
            let program =
                super::super::program::read_program(&mut file).map_err(|error| error.kind());
            let headers = program.map(|program| {
                program.map(|program| (program.loaded().count(), program.end().is_some()))
            });
            let needed = dynamic
                .map(|dynamic| dynamic.map(|dynamic| (dynamic.needed.len(), dynamic.takes.len())));
            let header =
                header.map(|elf| elf.map(|elf| (elf.bits, elf.little_endian, elf.dynamic)));
            (header, needed, headers)
        });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"\x7fELF".to_vec();
            file.extend(tail);
            let _ = read_elf(&mut Cursor::new(file));
        }
    }
}
