//! What a program or shared library wants from shared libraries, and what it gives: its dynamic
//! section (ELF gABI; symbol versions as of the Linux Standard Base).

use std::{
    collections::BTreeSet,
    io::{self, Read, Seek, SeekFrom},
};

use super::{Fields, read_array};

/// Program headers: what is loaded, and where the dynamic section is.
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;

/// Entries of the dynamic section.
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERNEED: u64 = 0x6fff_fffe;

/// More than any program or library has.
const MAX_HEADERS: u16 = 512;
const MAX_DYNAMIC: u64 = 64 << 10;
const MAX_STRINGS: u64 = 16 << 20;
const MAX_VERSIONS: u64 = 256 << 10;
const MAX_RECORDS: usize = 4096;

/// What a dynamic section says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dynamic {
    /// The libraries it asks for, in its order.
    pub needed: Vec<String>,
    /// Versions of symbols that it takes from libraries: the library's name and the version's.
    pub takes: BTreeSet<(String, String)>,
    /// Versions of symbols that it has.
    pub gives: BTreeSet<String>,
}

/// Reads the dynamic section of a 64-bit little-endian program or library; `None` where it is no
/// well-formed one. A static program has an empty one.
///
/// # Errors
///
/// Only those of the reader.
pub fn read_dynamic(reader: &mut (impl Read + Seek)) -> io::Result<Option<Dynamic>> {
    let Some(head) = read_array::<64>(reader, 0)? else {
        return Ok(None);
    };
    let (table, each, count) = (head.u64(32), head.u16(54), head.u16(56));
    if !head.has(0, b"\x7fELF\x02\x01") || each < 56 || count > MAX_HEADERS {
        return Ok(None);
    }
    let (mut loads, mut dynamic) = (Vec::new(), None);
    for index in 0..u64::from(count) {
        let at = table.saturating_add(index * u64::from(each));
        let Some(header) = read_array::<56>(reader, at)? else {
            return Ok(None);
        };
        let (offset, address, size) = (header.u64(8), header.u64(16), header.u64(32));
        match header.u32(0) {
            PT_LOAD => loads.push((address, size, offset)),
            PT_DYNAMIC => dynamic = Some((offset, size.min(MAX_DYNAMIC))),
            _ => {}
        }
    }
    let Some((offset, size)) = dynamic else {
        return Ok(Some(Dynamic::default()));
    };
    let section = up_to(reader, offset, size)?;
    let entries = section.chunks_exact(16).map(|e| (e.u64(0), e.u64(8)));
    let entries = entries.take_while(|(tag, _)| *tag != 0).collect::<Vec<_>>();
    let value = |tag| {
        entries
            .iter()
            .find(|entry| entry.0 == tag)
            .map(|entry| entry.1)
    };
    let mut part = |tag, size| match value(tag).and_then(|at| file_offset(&loads, at)) {
        Some(at) => up_to(reader, at, size),
        None => Ok(Vec::new()),
    };
    let strings = part(DT_STRTAB, value(DT_STRSZ).unwrap_or(0).min(MAX_STRINGS))?;
    let (takes, gives) = (
        part(DT_VERNEED, MAX_VERSIONS)?,
        part(DT_VERDEF, MAX_VERSIONS)?,
    );
    let needed = entries.iter().filter(|entry| entry.0 == DT_NEEDED);
    let needed = needed.map(|(_, at)| string(&strings, *at));
    let dynamic = (|| {
        Some(Dynamic {
            needed: needed.collect::<Option<_>>()?,
            takes: versions_taken(&takes, &strings)?,
            gives: versions_given(&gives, &strings)?,
        })
    })();
    Ok(dynamic)
}

/// The records of `Elfxx_Verneed`, each with its `Elfxx_Vernaux`.
fn versions_taken(section: &[u8], strings: &[u8]) -> Option<BTreeSet<(String, String)>> {
    let mut taken = BTreeSet::new();
    for at in chain(section, 0, 12) {
        let file = string(strings, section.u32(at + 4).into())?;
        for aux in chain(section, at + section.u32(at + 8) as usize, 12) {
            // VER_FLG_WEAK: does without.
            if section.u16(aux + 4) & 2 == 0 {
                let version = string(strings, section.u32(aux + 8).into())?;
                taken.insert((file.clone(), version));
            }
        }
    }
    Some(taken)
}

/// The records of `Elfxx_Verdef`, each with the first of its `Elfxx_Verdaux`, which names it.
fn versions_given(section: &[u8], strings: &[u8]) -> Option<BTreeSet<String>> {
    let names = chain(section, 0, 16).into_iter().map(|at| {
        let aux = at + section.u32(at + 12) as usize;
        string(strings, section.u32(aux).into())
    });
    names.collect()
}

/// Where the records of a list are, from `first` on: the distance to the next is in each at `next`.
fn chain(section: &[u8], first: usize, next: usize) -> Vec<usize> {
    let mut all = Vec::new();
    let mut at = first;
    while at < section.len() && all.len() < MAX_RECORDS {
        all.push(at);
        match section.u32(at + next) as usize {
            0 => break,
            distance => at += distance,
        }
    }
    all
}

/// Where in the file the byte that is loaded to `address` is.
fn file_offset(loads: &[(u64, u64, u64)], address: u64) -> Option<u64> {
    loads.iter().find_map(|(start, size, offset)| {
        let into = address.checked_sub(*start).filter(|into| into < size)?;
        offset.checked_add(into)
    })
}

/// At most `size` bytes from `at` on; the caller bounds `size`.
fn up_to(reader: &mut (impl Read + Seek), at: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // An offset that no file can have.
    if at <= i64::MAX as u64 {
        reader.seek(SeekFrom::Start(at))?;
        reader.take(size).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The string at `at`, up to its zero byte.
fn string(strings: &[u8], at: u64) -> Option<String> {
    let rest = strings.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[test]
    fn this_test_needs_the_c_library_and_it_gives_what_is_taken() {
        if cfg!(not(all(
            target_pointer_width = "64",
            target_endian = "little",
            target_env = "gnu"
        ))) {
            return crate::skip::skip("this test is not a program of 64 bits with glibc");
        }
        let mut file = std::fs::File::open("/proc/self/exe").unwrap();
        let dynamic = read_dynamic(&mut file).unwrap().unwrap();
        assert!(
            dynamic.needed.iter().any(|name| name == "libc.so.6"),
            "{dynamic:?}"
        );
        assert!(dynamic.takes.iter().any(|(file, _)| file == "libc.so.6"));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps
            .split_whitespace()
            .find(|word| word.ends_with("/libc.so.6"))
            .unwrap();
        let libc = read_dynamic(&mut std::fs::File::open(libc).unwrap())
            .unwrap()
            .unwrap();
        for (file, version) in &dynamic.takes {
            assert!(
                file != "libc.so.6" || libc.gives.contains(version),
                "{version}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(tail in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut file = b"\x7fELF\x02\x01".to_vec();
            file.extend(&tail);
            let _ = read_dynamic(&mut Cursor::new(file));
            let _ = versions_taken(&tail, &tail);
            let _ = versions_given(&tail, &tail);
        }
    }
}
