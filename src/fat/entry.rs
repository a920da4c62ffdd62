//! The 32 bytes that describe a file in its directory, and their times (UTC, two seconds apart).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::name::Short;
use crate::bytes::Fields;

/// Attribute: cannot be written.
pub(super) const READ_ONLY: u8 = 0x01;
/// Attribute: the volume's label, no file.
pub(super) const VOLUME: u8 = 0x08;
/// Attribute: a directory.
pub(super) const DIRECTORY: u8 = 0x10;
/// Attribute: changed since the last backup; set by every write.
pub(super) const ARCHIVE: u8 = 0x20;
/// All attributes of a long name's entry.
pub(super) const LONG_NAME: u8 = 0x0f;

/// FAT counts from the first day of 1980 to the last of 2107.
const FIRST_DAY: u64 = 3652;
const LAST_DAY: u64 = 50402;

/// A directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(pub(super) [u8; 32]);

impl Entry {
    /// A new entry with all its times set to `now`.
    pub(super) fn new(short: &Short, attributes: u8, first: u32, now: SystemTime) -> Entry {
        let mut entry = Entry([0; 32]);
        entry.0[..11].copy_from_slice(short);
        entry.0[11] = attributes;
        entry.set_first(first);
        entry.set_modified(now);
        entry.set_accessed(now);
        let (date, time, hundredths) = encode(now);
        entry.0[13] = hundredths;
        entry.put(14, time);
        entry.put(16, date);
        entry
    }

    fn put(&mut self, at: usize, value: u16) {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// The attribute bits.
    pub(super) fn attributes(&self) -> u8 {
        self.0[11]
    }

    /// Sets or clears attribute bits.
    pub(super) fn set_attribute(&mut self, bits: u8, on: bool) {
        self.0[11] = if on {
            self.0[11] | bits
        } else {
            self.0[11] & !bits
        };
    }

    /// Whether it is a directory.
    pub(super) fn is_dir(&self) -> bool {
        self.attributes() & DIRECTORY != 0
    }

    /// The short name.
    pub(super) fn short(&self) -> Short {
        self.0.array(0)
    }

    /// Gives it another short name, shown as it is stored.
    pub(super) fn set_short(&mut self, short: &Short) {
        self.0[..11].copy_from_slice(short);
        self.0[12] = 0;
    }

    /// The first cluster; 0 for none. FAT12 and FAT16 leave the upper half 0.
    pub(super) fn first(&self) -> u32 {
        u32::from(self.0.u16(20)) << 16 | u32::from(self.0.u16(26))
    }

    /// Sets the first cluster.
    pub(super) fn set_first(&mut self, first: u32) {
        self.put(20, (first >> 16) as u16);
        self.put(26, first as u16);
    }

    /// The size in bytes; 0 for directories.
    pub(super) fn size(&self) -> u32 {
        self.0.u32(28)
    }

    /// Sets the size.
    pub(super) fn set_size(&mut self, size: u32) {
        self.0[28..].copy_from_slice(&size.to_le_bytes());
    }

    /// When its content changed.
    pub(super) fn modified(&self) -> SystemTime {
        decode(self.0.u16(24), self.0.u16(22), 0)
    }

    /// Sets when its content changed.
    pub(super) fn set_modified(&mut self, to: SystemTime) {
        let (date, time, _) = encode(to);
        self.put(22, time);
        self.put(24, date);
    }

    /// The day on which it was last read.
    pub(super) fn accessed(&self) -> SystemTime {
        decode(self.0.u16(18), 0, 0)
    }

    /// Sets the day on which it was last read.
    pub(super) fn set_accessed(&mut self, to: SystemTime) {
        self.put(18, encode(to).0);
    }

    /// When it was created.
    pub(super) fn created(&self) -> SystemTime {
        decode(self.0.u16(16), self.0.u16(14), self.0[13])
    }
}

/// Date, time of day, and hundredths of a second from 0 to 199.
fn encode(at: SystemTime) -> (u16, u16, u8) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = since.as_secs() / 86400;
    let (days, second, hundredths) = match days {
        ..FIRST_DAY => (FIRST_DAY, 0, 0),
        FIRST_DAY..=LAST_DAY => (days, since.as_secs() % 86400, since.subsec_millis() / 10),
        _ => (LAST_DAY, 86399, 99),
    };
    let (year, month, day) = civil(days);
    let date = (year - 1980) << 9 | month << 5 | day;
    let time = ((second / 3600) << 11) | ((second / 60 % 60) << 5) | (second % 60 / 2);
    (
        date as u16,
        time as u16,
        (second % 2 * 100) as u8 + hundredths as u8,
    )
}

/// Fields out of range, which damaged entries have, are taken for what they add up to.
fn decode(date: u16, time: u16, hundredths: u8) -> SystemTime {
    let (year, month, day) = (1980 + u64::from(date >> 9), date >> 5 & 15, date & 31);
    let days = days_before(year, u64::from(month.clamp(1, 12))) + u64::from(day.max(1)) - 1;
    let (hour, minute, pair) = (u64::from(time >> 11), u64::from(time >> 5 & 63), time & 31);
    let seconds = days * 86400 + hour * 3600 + minute * 60 + 2 * u64::from(pair);
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(u64::from(hundredths) * 10)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn month_length(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the first of a month.
fn days_before(year: u64, month: u64) -> u64 {
    let years: u64 = (1970..year)
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum();
    years
        + (1..month)
            .map(|month| month_length(year, month))
            .sum::<u64>()
}

/// Year, month and day of a day counted from 1970. At most 137 steps: see [`LAST_DAY`].
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    while days >= month_length(year, month) {
        days -= month_length(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn known_dates() {
        // 2024-02-29 12:34:56, 1980-01-01 and what lies outside.
        assert_eq!(
            encode(at(1_709_210_096)),
            (44 << 9 | 2 << 5 | 29, 12 << 11 | 34 << 5 | 28, 0)
        );
        assert_eq!(encode(at(0)), (33, 0, 0));
        assert_eq!(encode(at(FIRST_DAY * 86400)), (33, 0, 0));
        assert_eq!(encode(at(9_999_999_999)).0, 127 << 9 | 12 << 5 | 31);
    }

    proptest! {
        #[test]
        fn times_survive(seconds in FIRST_DAY * 86400..(LAST_DAY + 1) * 86400) {
            let (date, time, hundredths) = encode(at(seconds));
            prop_assert_eq!(decode(date, time, hundredths), at(seconds));
        }

        #[test]
        fn any_bits_are_a_time(date: u16, time: u16, hundredths: u8) {
            decode(date, time, hundredths);
        }
    }
}
