//! The dispatcher's code, and the bytes of what it reads.

#![allow(unsafe_code)]

pub mod format;
pub mod front;

/// The dispatcher as build.rs compiled it, its settings still to be filled in. Empty where there is none
/// for this machine.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dispatcher"));

/// A structure of [`format`] as it is in memory.
///
/// # Safety
/// Without padding between or after its fields.
unsafe trait Plain: Copy {}
unsafe impl Plain for format::Settings {}
unsafe impl Plain for format::Header {}
unsafe impl Plain for format::Entry {}
unsafe impl Plain for format::Guard {}

fn bytes<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: all of it is initialised, as it has no padding.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

/// The dispatcher with these settings.
pub fn program(settings: &format::Settings) -> Vec<u8> {
    let mut program = PROGRAM.to_vec();
    program[..format::ENTRY].copy_from_slice(bytes(settings));
    program
}

/// A table: its header, the entries, the guards, and the texts that they refer to by place.
pub fn table(
    header: &format::Header,
    entries: &[format::Entry],
    guards: &[format::Guard],
    texts: &[u8],
) -> Vec<u8> {
    let mut table = bytes(header).to_vec();
    entries.iter().for_each(|entry| table.extend(bytes(entry)));
    guards.iter().for_each(|guard| table.extend(bytes(guard)));
    table.extend(texts);
    table
}

/// Where texts begin in a table with so many entries and guards.
pub fn texts_of_table(entries: usize, guards: usize) -> usize {
    size_of::<format::Header>()
        + entries * size_of::<format::Entry>()
        + guards * size_of::<format::Guard>()
}

/// The counts in a file of them; what is there may be anything.
pub fn counts(file: &[u8]) -> Vec<format::Slot> {
    let slots = file.chunks_exact(size_of::<format::Slot>());
    slots
        .take(format::SLOTS)
        // SAFETY: as long as a slot, which may hold any bytes.
        .map(|slot| unsafe { slot.as_ptr().cast::<format::Slot>().read_unaligned() })
        .filter(|slot| slot.hash != 0)
        .collect()
}
