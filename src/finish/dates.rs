//! Dates without a library: of seconds since 1970, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// `2026-11-28`
pub fn date(seconds: u64) -> String {
    let (year, month, day) = civil((seconds / 86_400) as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-28T07:05:09Z`
pub fn time(seconds: u64) -> String {
    let (hours, minutes, seconds_of) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{}T{hours:02}:{minutes:02}:{seconds_of:02}Z", date(seconds))
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: counted in eras of 400 years that begin in March, so
/// that the day that some years have more is the last of a year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn as_date_says() {
        for seconds in [
            0,
            68_169_599,
            951_782_400,
            951_868_799,
            1_709_164_800,
            1_764_313_509,
            4_107_542_399,
        ] {
            let said = Command::new("date")
                .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
                .output()
                .unwrap();
            assert_eq!(
                time(seconds),
                String::from_utf8(said.stdout).unwrap().trim()
            );
        }
    }
}
