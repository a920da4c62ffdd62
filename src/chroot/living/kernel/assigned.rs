//! What the image's own files set below /proc/sys at every boot: sysctl.d(5), and ufw's.

use std::collections::BTreeMap;

use super::conf::{self, Conf};
use crate::{chroot::living::firewall::boot::ufw_sysctl, sys::inroot::Root};

/// What reads sysctl.d at a boot. It does not know of /etc/sysctl.conf: Debian 12 has a link in sysctl.d that leads there,
/// Debian 13 has none.
const SYSTEMD: &str = "usr/lib/systemd/systemd-sysctl";
/// What others read last.
const OLD: &str = "etc/sysctl.conf";
/// The most patterns that are looked at; a distribution has three.
const MAX_PATTERNS: usize = 256;

/// A value, and the file that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The value.
    pub value: String,
    /// The path of the file in the image.
    pub file: String,
    /// Whether it does not matter if there is no such file.
    pub optional: bool,
}

/// What the files say.
#[derive(Debug, Default)]
pub struct Assignments {
    /// For patterns, in order.
    patterns: Vec<(String, Assigned)>,
    /// For paths; none if no pattern is to set it.
    paths: BTreeMap<String, Option<Assigned>>,
}

/// What is set in the image at `root`.
pub fn read(root: &Root) -> Assignments {
    let mut files = conf::files(root, "sysctl.d");
    if !root.is_file(SYSTEMD.as_ref()) {
        files.extend(conf::file(root, OLD));
    }
    // Its unit reads it after all of these.
    files.extend(ufw_sysctl(root).and_then(|file| conf::file(root, &file)));
    let mut all = Assignments::default();
    for Conf { path: file, text } in files {
        conf::lines(&text).for_each(|line| all.add(line, &file));
    }
    all
}

impl Assignments {
    fn add(&mut self, line: &str, file: &str) {
        let (optional, line) = match line.strip_prefix('-') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let Some((name, value)) = line.split_once('=') else {
            if optional {
                self.paths.insert(path_of(line), None);
            }
            return;
        };
        let path = path_of(name.trim());
        let assigned = Assigned {
            value: value.trim().to_owned(),
            file: file.to_owned(),
            optional,
        };
        match path.contains(['*', '?', '[']) {
            true if self.patterns.len() < MAX_PATTERNS => self.patterns.push((path, assigned)),
            true => {}
            false => drop(self.paths.insert(path, Some(assigned))),
        }
    }

    /// What is set for this path below /proc/sys.
    pub fn of(&self, path: &str) -> Option<&Assigned> {
        match self.paths.get(path) {
            Some(assigned) => assigned.as_ref(),
            None => {
                let mut patterns = self.patterns.iter().rev();
                let found = patterns.find(|(pattern, _)| matches(pattern, path));
                found.map(|(_, assigned)| assigned)
            }
        }
    }

    /// What is set for a path, not for a pattern.
    pub fn named(&self) -> impl Iterator<Item = (&String, &Assigned)> {
        let all = self.paths.iter();
        all.filter_map(|(path, assigned)| Some((path, assigned.as_ref()?)))
    }
}

/// The path below /proc/sys of a name with dots or slashes: whichever comes first divides it.
pub fn path_of(name: &str) -> String {
    let name = name.trim_start_matches('/');
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'.') => name_of(name),
        _ => name.to_owned(),
    }
}

/// The name with dots of a path below /proc/sys, as people type it.
pub fn name_of(path: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    path.chars().map(swap).collect()
}

/// Whether the whole `path` is as this pattern says, in which `*`, `?` and `[...]` stand for anything but a slash.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

fn part_matches(mut pattern: &[u8], mut part: &[u8]) -> bool {
    // Where to go on if what follows the last star does not fit: a star that takes one byte more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (pattern, part) {
            ([], []) => return true,
            ([b'*', rest @ ..], _) => {
                again = Some((rest, part));
                Some((rest, part))
            }
            (_, [byte, left @ ..]) => one_matches(pattern, *byte).map(|rest| (rest, left)),
            _ => None,
        };
        (pattern, part) = match (step, again) {
            (Some(step), _) => step,
            (None, Some((rest, [_, left @ ..]))) => {
                again = Some((rest, left));
                (rest, left)
            }
            _ => return false,
        };
    }
}

/// What is left of the pattern if it begins with something that stands for this byte.
fn one_matches(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match (first, rest.iter().position(|b| *b == b']')) {
        (b'?', _) => Some(rest),
        (b'[', Some(end)) => {
            let set = &rest[..end];
            let (set, wanted) = match set.strip_prefix(b"!") {
                Some(set) => (set, false),
                None => (set, true),
            };
            (in_set(set, byte) == wanted).then_some(&rest[end + 1..])
        }
        _ => (*first == byte).then_some(rest),
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [first, b'-', last, rest @ ..] => (*first..=*last).contains(&byte) || in_set(rest, byte),
        [one, rest @ ..] => *one == byte || in_set(rest, byte),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn assignments(files: &[(&str, &str)]) -> Assignments {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let at = dir.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        read(&Root::open(dir.path()).unwrap())
    }

    #[test]
    fn the_last_file_that_names_a_path_wins_and_a_pattern_gives_way() {
        let all = assignments(&[
            (
                "usr/lib/sysctl.d/50-default.conf",
                "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n",
            ),
            ("usr/lib/sysctl.d/90-x.conf", "; no\nvm/swappiness=1\n"),
            (
                "etc/sysctl.d/99-x.conf",
                "vm.swappiness = 10\n-kernel.x =  a b \nnet.ipv4.conf.eth0/1.rp_filter=0\n",
            ),
        ]);
        let of = |path: &str| {
            all.of(path)
                .map(|found| (found.value.as_str(), found.file.as_str()))
        };
        let etc = "/etc/sysctl.d/99-x.conf";
        assert_eq!(of("vm/swappiness"), Some(("10", etc)));
        assert_eq!(of("kernel/x"), Some(("a b", etc)));
        assert_eq!(of("net/ipv4/conf/eth0.1/rp_filter"), Some(("0", etc)));
        assert_eq!(
            of("net/ipv4/conf/eth0/rp_filter"),
            Some(("2", "/usr/lib/sysctl.d/50-default.conf"))
        );
        assert_eq!(of("net/ipv4/conf/all/rp_filter"), None);
        assert!(all.of("kernel/x").unwrap().optional && !all.of("vm/swappiness").unwrap().optional);
    }

    #[test]
    fn sysctl_conf_is_read_where_a_boot_reads_it() {
        let conf = ("etc/sysctl.conf", "vm.swappiness=1");
        assert!(assignments(&[conf]).of("vm/swappiness").is_some());
        assert!(
            assignments(&[conf, (SYSTEMD, "")])
                .of("vm/swappiness")
                .is_none()
        );
    }

    #[test]
    fn patterns_are_a_shells() {
        for (pattern, path, expected) in [
            ("a/*/c", "a/b/c", true),
            ("a/*", "a/b/c", false),
            ("a/b?", "a/bc", true),
            ("a/[b-d]", "a/c", true),
            ("a/[!b-d]", "a/c", false),
            ("a/[bc", "a/[bc", true),
            ("a/x*y*z", "a/x1y2z", true),
            ("a/x*y*z", "a/xyzyzz", true),
            ("a/x*y*z", "a/x1y2", false),
            ("*", "", true),
            (
                "a*a*a*a*a*a*a*a*a*b",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                false,
            ),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
