//! Points in time and spans of it, in systemd's words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;

/// A point in time: `Sat 2026-11-28 06:48:39 UTC`.
pub fn stamp(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (day, rest) = (seconds / DAY, seconds % DAY);
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let name = names[usize::try_from(day % 7).expect("is small")];
    let (year, month, day) = date(day);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{name} {year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date that many days after the beginning of 1970, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// How long ago something was: `3min 2s ago`.
pub fn ago(time: SystemTime) -> String {
    let gone = SystemTime::now().duration_since(time).unwrap_or_default();
    format!("{} ago", span(Duration::from_secs(gone.as_secs().max(1))))
}

/// With systemd's names, the longest first.
const UNITS: [(&str, u128); 9] = [
    ("y", 31_557_600_000_000),
    ("month", 2_629_800_000_000),
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
];

/// A span of time: `1min 30s`.
pub fn span(time: Duration) -> String {
    let mut rest = time.as_micros();
    let mut words = Vec::new();
    for (name, length) in UNITS {
        if rest >= length {
            words.push(format!("{}{name}", rest / length));
            rest %= length;
        }
    }
    if words.is_empty() {
        "0".into()
    } else {
        words.join(" ")
    }
}

/// A span as people write it, such as `90`, `1min 30s` or `1.5h`.
pub fn parse_span(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !digits(c)).unwrap_or(rest.len()));
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let seconds = match unit {
            "us" | "usec" => 1e-6,
            "ms" | "msec" => 1e-3,
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = after.trim_start();
    }
    Duration::try_from_secs_f64(total)
        .ok()
        .filter(|_| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_written_as_systemd_does() {
        let at = |seconds| stamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "Thu 1970-01-01 00:00:00 UTC");
        assert_eq!(at(1_795_848_519), "Sat 2026-11-28 06:48:39 UTC");
        assert_eq!(at(951_782_400), "Tue 2000-02-29 00:00:00 UTC");
    }

    #[test]
    fn spans_are_read_and_written() {
        let again = |text: &str| parse_span(text).map(span);
        assert_eq!(again("90").as_deref(), Some("1min 30s"));
        assert_eq!(again("1.5h").as_deref(), Some("1h 30min"));
        assert_eq!(again("5 min 100ms").as_deref(), Some("5min 100ms"));
        assert_eq!(again("0").as_deref(), Some("0"));
        assert_eq!(again("infinity"), None);
        assert_eq!(again(""), None);
        assert_eq!(again("1x"), None);
    }
}
