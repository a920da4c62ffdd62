//! Names of units, as people type them and as systemd has them.

use std::fmt::Write;

/// What a unit is, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `.service`
    Service,
    /// `.socket`
    Socket,
    /// `.target`
    Target,
    /// `.timer`
    Timer,
    /// `.path`
    Path,
    /// `.mount`
    Mount,
    /// `.automount`
    Automount,
    /// `.swap`
    Swap,
    /// `.device`
    Device,
    /// `.slice`
    Slice,
    /// `.scope`
    Scope,
}

/// With the ends of their names, and the sections of their files, in the order in which systemctl lists them.
const KINDS: [(Kind, &str, &str); 11] = [
    (Kind::Automount, "automount", "Automount"),
    (Kind::Device, "device", "Device"),
    (Kind::Mount, "mount", "Mount"),
    (Kind::Path, "path", "Path"),
    (Kind::Scope, "scope", "Scope"),
    (Kind::Service, "service", "Service"),
    (Kind::Slice, "slice", "Slice"),
    (Kind::Socket, "socket", "Socket"),
    (Kind::Swap, "swap", "Swap"),
    (Kind::Target, "target", "Target"),
    (Kind::Timer, "timer", "Timer"),
];

/// As long as systemd's own limit.
const MAX_NAME: usize = 255;

impl Kind {
    /// By the end of a unit's name.
    pub fn of(name: &str) -> Option<Kind> {
        let end = name.rsplit_once('.')?.1;
        let found = KINDS.iter().find(|(_, suffix, _)| *suffix == end);
        found.map(|(kind, ..)| *kind)
    }

    /// The end of its names, without the point.
    pub fn suffix(self) -> &'static str {
        KINDS[self.place()].1
    }

    /// The section that its files have of their own.
    pub fn section(self) -> &'static str {
        KINDS[self.place()].2
    }

    /// Its place in systemctl's lists.
    pub fn place(self) -> usize {
        let place = KINDS.iter().position(|(kind, ..)| *kind == self);
        place.expect("all of them are there")
    }
}

/// Whether this can be a unit's name.
pub fn is_valid(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let usual = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    Kind::of(name).is_some()
        && name.len() <= MAX_NAME
        && !stem.is_empty()
        && !stem.starts_with('@')
        && name.bytes().all(usual)
}

/// The template that the unit `name` is an instance of, and the instance's own name: `getty@tty1.service` is one of
/// `getty@.service`. A template is its own, with no name.
pub fn template(name: &str) -> Option<(String, &str)> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    Some((format!("{prefix}@.{suffix}"), instance))
}

/// Whether a template itself is meant, of which nothing can run.
pub fn is_template(name: &str) -> bool {
    template(name).is_some_and(|(_, instance)| instance.is_empty())
}

/// Whether it stands for several names.
pub fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// What somebody typed, as the name of a unit: a path is a mount or a device, and what has no known end gets `suffix`.
/// The second is a warning, if letters had to be escaped.
pub fn from_word(word: &str, suffix: &str) -> (String, Option<String>) {
    if let Some(path) = word.strip_prefix('/') {
        let device = ["dev/", "sys/"].iter().any(|top| path.starts_with(top));
        let kind = if device { "device" } else { "mount" };
        return (format!("{}.{kind}", escape_path(word)), None);
    }
    let usual = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let escaped = if word.chars().all(usual) {
        word.to_owned()
    } else {
        escape(word, true)
    };
    let warning = (escaped != word).then(|| {
        format!(
            "Invalid unit name \"{word}\" escaped as \"{escaped}\" (maybe you should use systemd-escape?).\n"
        )
    });
    let name = match Kind::of(&escaped) {
        Some(_) => escaped,
        None => format!("{escaped}.{suffix}"),
    };
    (name, warning)
}

/// A path as part of a unit's name.
pub fn escape_path(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !matches!(*p, "" | "."))
        .collect();
    match parts.join("/") {
        path if path.is_empty() => "-".into(),
        path => escape(&path, false),
    }
}

/// The path that is part of a unit's name.
pub fn unescape_path(name: &str) -> String {
    match name {
        "-" => "/".into(),
        name => format!("/{}", unescape(name)),
    }
}

/// `kept`: what somebody typed, where signs that names may have stay.
fn escape(text: &str, kept: bool) -> String {
    let mut escaped = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'-' | b'\\' | b'@' if kept => escaped.push(char::from(byte)),
            b'.' if at == 0 && !kept => escaped.push_str("\\x2e"),
            b':' | b'_' | b'.' => escaped.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            byte => write!(escaped, "\\x{byte:02x}").expect("fits in memory"),
        }
    }
    escaped
}

/// An instance's name, as it was before it was escaped.
pub fn unescape(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = rest
            .strip_prefix(b"\\x")
            .and_then(|digits| str::from_utf8(digits.get(..2)?).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        (rest, _) = match (first, code) {
            (_, Some(code)) => (&rest[4..], bytes.push(code)),
            (b'-', _) => (after, bytes.push(b'/')),
            _ => (after, bytes.push(first)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether `name` is one that a shell's `pattern` stands for: `*`, `?` and `[a-z]`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what came after the last star did not fit.
    let mut star = None;
    loop {
        if p == pattern.len() && n == name.len() {
            return true;
        }
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        match name.get(n).and_then(|c| one(&pattern[p..], *c)) {
            Some(length) => (p, n) = (p + length, n + 1),
            None => match star {
                Some((after, from)) if from < name.len() => {
                    (p, n) = (after, from + 1);
                    star = Some((after, from + 1));
                }
                _ => return false,
            },
        }
    }
}

/// How much of the pattern's start is for `c`, if it is.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
            let set = &pattern[1..end];
            let (not, set) = match set.first() {
                Some('!' | '^') => (true, &set[1..]),
                _ => (false, set),
            };
            (in_set(set, c) != not).then_some(end + 1)
        }
        first => (*first == c).then_some(1),
    }
}

fn in_set(set: &[char], c: char) -> bool {
    let range = |range: &[char]| range[1] == '-' && (range[0]..=range[2]).contains(&c);
    set.contains(&c) || set.windows(3).any(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_becomes_a_name() {
        let name = |word: &str| from_word(word, "service").0;
        assert_eq!(name("ssh"), "ssh.service");
        assert_eq!(name("ssh.socket"), "ssh.socket");
        assert_eq!(name("foo.bar"), "foo.bar.service");
        assert_eq!(name("/mnt/my data/"), "mnt-my\\x20data.mount");
        assert_eq!(name("/"), "-.mount");
        assert_eq!(name("/dev/sda1"), "dev-sda1.device");
        assert_eq!(name("getty@tty1"), "getty@tty1.service");
        let (name, warning) = from_word("a/b", "service");
        assert_eq!(name, "a-b.service");
        let text = "Invalid unit name \"a/b\" escaped as \"a-b\" (maybe you should use systemd-escape?).\n";
        assert_eq!(warning.as_deref(), Some(text));
        assert_eq!(from_word("''", "service").0, "\\x27\\x27.service");
    }

    #[test]
    fn instances_have_templates() {
        assert_eq!(
            template("getty@tty1.service"),
            Some(("getty@.service".into(), "tty1"))
        );
        assert!(is_template("getty@.service") && !is_template("getty@a.service"));
        assert_eq!(template("ssh.service"), None);
    }

    #[test]
    fn paths_come_back() {
        for path in ["/", "/mnt", "/mnt/a-b", "/srv/.x y"] {
            assert_eq!(unescape_path(&escape_path(path)), path);
        }
    }

    #[test]
    fn some_names_are_none() {
        assert!(is_valid("a.service") && is_valid("a@b.service") && is_valid("-.mount"));
        for bad in [
            "",
            "a",
            ".service",
            "a b.service",
            "@.service",
            "a/b.service",
            "a.x",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&format!("{}.service", "a".repeat(300))));
    }

    #[test]
    fn patterns_are_those_of_shells() {
        assert!(matches("ssh*", "ssh.service") && matches("*.socket", "dbus.socket"));
        assert!(matches("getty@tty[1-3].service", "getty@tty2.service"));
        assert!(matches("[!a]?", "bc") && matches("*a*b", "xaab") && matches("a", "a"));
        assert!(!matches("ssh*", "xssh") && !matches("[!a]", "a") && !matches("a", "ab"));
        assert!(!matches("[a", "a") && !matches("", "a") && matches("*", ""));
    }
}
