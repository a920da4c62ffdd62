//! File names: what is allowed, long names in UTF-16, and the short names every file has beside.

use std::ffi::OsStr;

use nix::errno::Errno;

use super::Outcome;

/// Long names have at most this many UTF-16 units.
const MAX_UNITS: usize = 255;

/// UTF-16 units in one long name entry, and where they are in its 32 bytes.
const UNITS_AT: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// Marks the entry with the end of a long name, which is stored first.
const LAST: u8 = 0x40;

/// Code page 437 from 0x80: what Linux takes short names to be in.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A short name as it is stored: eight characters, three of extension, padded with blanks.
pub(super) type Short = [u8; 11];

/// The name that is stored for what a caller asks for: dots at the end do not count.
///
/// # Errors
///
/// `EINVAL` for characters that FAT forbids and for anything but UTF-8, `ENAMETOOLONG`.
pub(super) fn checked(name: &OsStr) -> Outcome<&str> {
    let name = name.to_str().ok_or(Errno::EINVAL)?.trim_end_matches('.');
    if name.is_empty() || name.chars().any(|c| c < ' ' || "\"*/:<>?\\|".contains(c)) {
        return Err(Errno::EINVAL);
    }
    if name.encode_utf16().count() > MAX_UNITS {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok(name)
}

/// The form in which names are compared: without regard to case.
pub(super) fn folded(name: &str) -> String {
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(single), None) => single,
            _ => c,
        }
    };
    name.chars().map(upper).collect()
}

/// A short name as it is shown. `case` is byte 12 of the entry: Windows' flags for lower case.
pub(super) fn shown(short: &Short, case: u8) -> String {
    let part = |bytes: &[u8], lower: bool| {
        let text: String = bytes.iter().map(|&byte| character(byte)).collect();
        let text = text.trim_end_matches(' ').to_owned();
        if lower { text.to_lowercase() } else { text }
    };
    let mut first = *short;
    if first[0] == 0x05 {
        first[0] = 0xe5;
    }
    let (base, extension) = (
        part(&first[..8], case & 8 != 0),
        part(&first[8..], case & 16 != 0),
    );
    if extension.is_empty() {
        base
    } else {
        format!("{base}.{extension}")
    }
}

fn character(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(high) => CP437.chars().nth(usize::from(high)).unwrap_or('\u{fffd}'),
    }
}

fn is_short(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'0'..=b'9') || b"!#$%&'()-@^_`{}~".contains(&byte)
}

/// The short name that says all of `name`, so that it needs no long one.
pub(super) fn plain(name: &str) -> Option<Short> {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let sizes = (1..=8).contains(&base.len()) && extension.len() <= 3;
    let dotted = name.ends_with('.') || !base.bytes().chain(extension.bytes()).all(is_short);
    (sizes && !dotted).then(|| join(base.as_bytes(), extension.as_bytes()))
}

/// A short name for `name` that is not taken yet, such as `INITRD~1.IMG`.
pub(super) fn numbered(name: &str, taken: impl Fn(&Short) -> bool) -> Outcome<Short> {
    let trimmed = name.trim_start_matches(['.', ' ']);
    let (base, extension) = trimmed.rsplit_once('.').unwrap_or((trimmed, ""));
    let mut base = shortened(base, 8);
    let extension = shortened(extension, 3);
    if base.is_empty() {
        base.push(b'_');
    }
    let try_with = |base: &[u8], tail: &str| {
        let kept = base.len().min(8 - tail.len());
        let short = join(&[&base[..kept], tail.as_bytes()].concat(), &extension);
        (!taken(&short)).then_some(short)
    };
    for number in 1..=4 {
        if let Some(short) = try_with(&base, &format!("~{number}")) {
            return Ok(short);
        }
    }
    // As Windows does: many files that begin alike get a hash, so that finding a name stays quick.
    let hash = name
        .encode_utf16()
        .fold(0u16, |hash, unit| hash.wrapping_mul(31) ^ unit);
    let head = &base[..base.len().min(2)];
    for step in 0..=u16::MAX {
        let tail = format!("{:04X}~1", hash.wrapping_add(step));
        if let Some(short) = try_with(head, &tail) {
            return Ok(short);
        }
    }
    Err(Errno::ENOSPC)
}

fn shortened(part: &str, length: usize) -> Vec<u8> {
    let bytes = part.chars().filter(|c| !matches!(c, ' ' | '.')).map(|c| {
        let upper = c.to_ascii_uppercase();
        u8::try_from(upper)
            .ok()
            .filter(|&byte| is_short(byte))
            .unwrap_or(b'_')
    });
    bytes.take(length).collect()
}

fn join(base: &[u8], extension: &[u8]) -> Short {
    let mut short = [b' '; 11];
    short[..base.len()].copy_from_slice(base);
    short[8..8 + extension.len()].copy_from_slice(extension);
    short
}

/// Ties the entries of a long name to their short one.
pub(super) fn checksum(short: &Short) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// The entries that hold the long name, in the order in which they are stored.
pub(super) fn long_entries(name: &str, short: &Short) -> Vec<[u8; 32]> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let count = units.len().div_ceil(UNITS_AT.len());
    (1..=count)
        .rev()
        .map(|order| {
            let mut entry = [0; 32];
            entry[0] = order as u8 | if order == count { LAST } else { 0 };
            entry[11] = 0x0f;
            entry[13] = checksum(short);
            for (i, &at) in UNITS_AT.iter().enumerate() {
                // One zero after the end, then all ones.
                let index = (order - 1) * UNITS_AT.len() + i;
                let padding = if index == units.len() { 0 } else { 0xffff };
                let unit = units.get(index).copied().unwrap_or(padding);
                entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            entry
        })
        .collect()
}

/// Puts a long name together again while a directory is read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    units: Vec<u16>,
    expected: u8,
    checksum: u8,
    /// How many entries were taken.
    pub(super) taken: u32,
}

impl Collector {
    /// Takes the next long name entry; one out of order begins anew.
    pub(super) fn push(&mut self, entry: &[u8; 32]) {
        let order = entry[0] & 0x1f;
        if entry[0] & LAST != 0 && (1..=20).contains(&order) {
            *self = Collector {
                expected: order,
                checksum: entry[13],
                ..Collector::default()
            };
        } else if order == 0 || order != self.expected || entry[13] != self.checksum {
            *self = Collector::default();
            return;
        }
        let units = UNITS_AT.map(|at| u16::from_le_bytes([entry[at], entry[at + 1]]));
        self.units.splice(0..0, units);
        self.expected -= 1;
        self.taken += 1;
    }

    /// The name, if it is complete and belongs to `short`.
    pub(super) fn finish(&mut self, short: &Short) -> Option<(String, u32)> {
        let done = std::mem::take(self);
        if done.taken == 0 || done.expected != 0 || done.checksum != checksum(short) {
            return None;
        }
        let end = done
            .units
            .iter()
            .position(|&unit| unit == 0)
            .unwrap_or(done.units.len());
        Some((String::from_utf16_lossy(&done.units[..end]), done.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_names() {
        assert_eq!(plain("CONFIG.TXT"), Some(*b"CONFIG  TXT"));
        assert_eq!(plain("A"), Some(*b"A          "));
        for long in [
            "config.txt",
            "TOOLONGNAME",
            "A.B.C",
            "A B",
            ".A",
            "A.LONG",
            "Ä",
            "A.",
        ] {
            assert_eq!(plain(long), None, "{long}");
        }
        assert_eq!(numbered("initrd.img-6.1", |_| false), Ok(*b"INITRD~11  "));
        assert_eq!(numbered(".ssh", |_| false), Ok(*b"SSH~1      "));
        assert_eq!(
            numbered("日本", |s| s[1] == b'_' && s[3] == b'1'),
            Ok(*b"__~2       ")
        );
    }

    #[test]
    fn shown_names() {
        assert_eq!(shown(b"CONFIG  TXT", 0x18), "config.txt");
        assert_eq!(shown(b"README     ", 0), "README");
        assert_eq!(shown(b"\x05\x80      A  ", 0), "σÇ.A");
        assert_eq!(CP437.chars().count(), 128);
    }

    #[test]
    fn forbidden_names() {
        for (name, errno) in [
            ("a:b", Errno::EINVAL),
            ("", Errno::EINVAL),
            ("...", Errno::EINVAL),
            ("a\nb", Errno::EINVAL),
            (&"x".repeat(256), Errno::ENAMETOOLONG),
        ] {
            assert_eq!(checked(OsStr::new(name)), Err(errno), "{name}");
        }
        assert_eq!(checked(OsStr::new("a. b..")), Ok("a. b"));
    }

    #[test]
    fn numbers_go_on_when_names_are_taken() {
        let mut taken = std::collections::HashSet::new();
        for i in 0..2000 {
            let short =
                numbered(&format!("overlay number {i}.dtbo"), |s| taken.contains(s)).unwrap();
            assert!(taken.insert(short));
        }
    }

    proptest! {
        #[test]
        fn long_names_survive(name in "[a-zA-Z0-9 äß日😀._-]{1,80}") {
            let short = *b"SHORT~1    ";
            let entries = long_entries(&name, &short);
            let mut collector = Collector::default();
            for entry in &entries {
                collector.push(entry);
            }
            prop_assert_eq!(collector.finish(&short), Some((name, entries.len() as u32)));
        }
    }
}
