//! One value below /proc/sys, written as the kernel takes it.

use nix::errno::Errno;

use super::table::Line;

/// What is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// So many whole numbers.
    Numbers(usize),
    /// Any text, to the end of its first line.
    Text,
    /// Something is done, and nothing is kept.
    Action,
    /// Nothing.
    Fixed,
}

/// Bits for processors, in hexadecimal: they look like numbers.
const MASKS: [&str; 2] = [
    "net/core/flow_limit_cpu_bitmap",
    "net/core/rps_default_mask",
];
/// The longest text.
const MAX_TEXT: usize = 4096;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its permissions.
    pub mode: u16,
    /// What the kernel itself begins with; none if it cannot be read.
    pub first: Option<String>,
    /// What it is now.
    pub now: Option<String>,
    shape: Shape,
}

impl From<Line> for Value {
    fn from(line: Line) -> Self {
        let shape = match (line.mode & 0o222, line.mode & 0o444, line.value) {
            (0, _, _) => Shape::Fixed,
            (_, 0, _) => Shape::Action,
            _ if line.path == "vm/stat_refresh" => Shape::Action,
            (_, _, Some(value)) if !MASKS.contains(&line.path) => shape_of(value),
            _ => Shape::Text,
        };
        let value = line.value.map(|value| value.replace("\\n", "\n"));
        Value {
            mode: line.mode,
            first: value.clone(),
            now: value,
            shape,
        }
    }
}

fn shape_of(value: &str) -> Shape {
    let numbers = value.split_whitespace().map(str::parse::<i128>);
    match numbers.collect::<Result<Vec<_>, _>>() {
        Ok(numbers) if !numbers.is_empty() => Shape::Numbers(numbers.len()),
        _ => Shape::Text,
    }
}

impl Value {
    /// One that the table does not have, but the image's own files set.
    pub fn of_image(value: &str) -> Self {
        Value {
            mode: 0o644,
            first: Some(value.to_owned()),
            now: Some(value.to_owned()),
            shape: shape_of(value),
        }
    }

    /// Whether what is written is done at once, and not kept.
    pub fn is_action(&self) -> bool {
        self.shape == Shape::Action
    }

    /// What is kept of this text, as the kernel shows it.
    ///
    /// # Errors
    /// What the kernel says of a text that it does not take.
    pub fn taken(&self, text: &[u8]) -> Result<String, Errno> {
        let text = std::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        match self.shape {
            Shape::Fixed => Err(Errno::EACCES),
            Shape::Action => Ok(String::new()),
            Shape::Text => {
                let end = text.find(['\n', '\0']).unwrap_or(text.len());
                match end > MAX_TEXT {
                    true => Err(Errno::EINVAL),
                    false => Ok(text[..end].to_owned()),
                }
            }
            Shape::Numbers(count) => self.numbers(text, count),
        }
    }

    /// Of several numbers those that are not given stay, and those that are too many are left out.
    fn numbers(&self, text: &str, count: usize) -> Result<String, Errno> {
        let given = text.split_whitespace().take(count).map(number);
        let given = given.collect::<Result<Vec<_>, _>>()?;
        if given.is_empty() {
            return Err(Errno::EINVAL);
        }
        let kept = self.now.as_deref().unwrap_or_default().split_whitespace();
        let kept = kept.skip(given.len()).map(str::to_owned);
        let all = given.into_iter().map(|number| number.to_string());
        Ok(all.chain(kept).collect::<Vec<_>>().join("\t"))
    }
}

/// A number as C writes it: in tens, 0x... or 0...
fn number(text: &str) -> Result<i128, Errno> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    // The kernel's own are of 64 bits, with or without a sign.
    match u64::from_str_radix(digits, radix) {
        Ok(number) if !digits.starts_with('+') => Ok(sign * i128::from(number)),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: &'static str) -> Value {
        Line {
            mode: 0o644,
            path: "a/b",
            value: Some(value),
        }
        .into()
    }

    #[test]
    fn numbers_are_shown_as_the_kernel_shows_them() {
        let taken = |text: &str| value("0").taken(text.as_bytes());
        for (given, shown) in [
            ("1\n", "1"),
            (" 0x10 ", "16"),
            ("010", "8"),
            ("-1", "-1"),
            ("1 2", "1"),
        ] {
            assert_eq!(taken(given).as_deref(), Ok(shown), "{given:?}");
        }
        for given in [
            "",
            "\n",
            "on",
            "1k",
            "0x",
            "+1",
            "1.5",
            "99999999999999999999",
        ] {
            assert_eq!(taken(given), Err(Errno::EINVAL), "{given:?}");
        }
        let three = value("4096\t131072\t6291456");
        assert_eq!(three.taken(b"1 2 3\n").as_deref(), Ok("1\t2\t3"));
        assert_eq!(three.taken(b"1\n").as_deref(), Ok("1\t131072\t6291456"));
    }

    #[test]
    fn a_text_ends_with_its_line() {
        let core = value("core");
        assert_eq!(core.taken(b"|/bin/x %p\nmore").as_deref(), Ok("|/bin/x %p"));
        assert_eq!(core.taken(b"").as_deref(), Ok(""));
        assert_eq!(core.taken(b"\xff"), Err(Errno::EINVAL));
        assert!(core.taken(&[b'a'; MAX_TEXT + 1]).is_err());
    }

    #[test]
    fn what_is_no_value_is_not_kept() {
        let line = |mode| Line {
            mode,
            path: "vm/drop_caches",
            value: None,
        };
        assert!(Value::from(line(0o200)).is_action());
        assert_eq!(Value::from(line(0o444)).taken(b"1"), Err(Errno::EACCES));
        let mask = Line {
            mode: 0o644,
            path: MASKS[0],
            value: Some("0"),
        };
        assert_eq!(Value::from(mask).taken(b"f\n").as_deref(), Ok("f"));
    }
}
