//! Spans of time as people write them.

use std::time::Duration;

use crate::error::{Error, Result};

/// `90s`, `10m`, `2h`, or seconds; `option` is what has it.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for anything else, and for nothing.
pub fn parse(text: &str, option: &str) -> Result<Duration> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number = number.parse::<u32>().ok().filter(|number| *number > 0);
    match number.zip(unit) {
        Some((number, unit)) => Ok(Duration::from_secs(u64::from(number) * unit)),
        None => Err(Error::usage(format!("{option} {text} is no span of time"))
            .hint("write it as in 90s, 10m or 2h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_minutes_and_hours() {
        let seconds = |text| parse(text, "--timeout").map(|span| span.as_secs()).ok();
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("2h"), Some(7200));
        for wrong in ["", "m", "0s", "1d", "-1s", "1.5h", "99999999999s"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
