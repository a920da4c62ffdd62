//! What kernels of such boards have below /proc/sys, and what it is when they have booted.
//!
//! `table.txt` was read from Debian's kernels 6.1 and 6.12 for arm64, booted in QEMU with four processors, 2 GiB of memory and an
//! eth0, before anything had set a value (`scripts/kernel-table.py`). A host's own values would tell of that host.

use crate::sys::kernel::Version;

const TABLE: &str = include_str!("table.txt");

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Its permissions.
    pub mode: u16,
    /// Its path below /proc/sys.
    pub path: &'static str,
    /// What it holds, without the newline at its end; none if it cannot be read.
    pub value: Option<&'static str>,
}

/// When there are the lines below a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Always,
    /// In kernels that are newer than this.
    After(Version),
    /// In kernels that are older than this.
    Before(Version),
    /// While this module is loaded.
    Module(&'static str),
}

/// What a kernel of this release has without any module; of one that is not known, what any has.
pub fn lines(release: Option<&str>) -> impl Iterator<Item = Line> {
    let version = release.and_then(Version::parse);
    all().filter_map(move |(section, line)| {
        let there = match (section, version) {
            (Section::Module(_), _) => false,
            (Section::After(other), Some(version)) => version > other,
            (Section::Before(other), Some(version)) => version < other,
            _ => true,
        };
        there.then_some(line)
    })
}

/// What there is in addition while this module is loaded.
pub fn of_module(name: &str) -> impl Iterator<Item = Line> {
    let is_its = move |section| matches!(section, Section::Module(other) if other == name);
    all().filter_map(move |(section, line)| is_its(section).then_some(line))
}

fn all() -> impl Iterator<Item = (Section, Line)> {
    let mut section = Section::Always;
    TABLE.lines().filter_map(move |text| {
        if let Some(heading) = text.strip_prefix('[') {
            section = heading.strip_suffix(']').and_then(heading_of)?;
            return None;
        }
        let mut fields = text.splitn(3, ' ');
        let line = Line {
            mode: u16::from_str_radix(fields.next()?, 8).ok()?,
            path: fields.next()?,
            value: match fields.next() {
                Some("?") => None,
                value => Some(value.unwrap_or_default()),
            },
        };
        Some((section, line))
    })
}

fn heading_of(text: &'static str) -> Option<Section> {
    match text.split_once(' ')? {
        ("after", version) => Version::parse(version).map(Section::After),
        ("before", version) => Version::parse(version).map(Section::Before),
        ("module", name) => Some(Section::Module(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let headings = TABLE.lines().filter(|line| line.starts_with('['));
        assert_eq!(all().count() + headings.count(), TABLE.lines().count());
        let mut paths = all().map(|(_, line)| line.path).collect::<Vec<_>>();
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count, "a path is there twice");
        let unread = lines(None).filter(|line| line.value.is_none());
        assert!(
            unread
                .into_iter()
                .all(|line| line.path.ends_with("stable_secret"))
        );
    }

    #[test]
    fn a_kernel_has_what_its_version_has() {
        let has = |release, path| lines(release).any(|line| line.path == path);
        for (path, expected) in [
            ("net/ipv4/ip_forward", [true, true, true]),
            ("kernel/io_uring_disabled", [true, false, true]),
            ("kernel/sched_child_runs_first", [true, true, false]),
            ("net/bridge/bridge-nf-call-iptables", [false, false, false]),
        ] {
            let found = [None, Some("6.1.0-50-arm64"), Some("6.12.20+rpt-rpi-v8")];
            assert_eq!(found.map(|release| has(release, path)), expected, "{path}");
        }
        assert_eq!(of_module("br_netfilter").count(), 6);
        assert_eq!(of_module("nosuch").count(), 0);
    }
}
