//! What the running kernel is and has.

use std::{fmt, fs, path::Path};

/// A kernel's version, without what a distribution appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// The running kernel's; 0.0 where it cannot be told.
    pub fn running() -> Self {
        Self::parse(&release()).unwrap_or(Version(0, 0))
    }

    /// Reads the beginning of a release, such as `6.8.0-45-generic`.
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map_while(|n| n.parse().ok());
        Some(Version(numbers.next()?, numbers.next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The running kernel's full name, as `uname -r` prints it; empty where it cannot be told.
pub fn release() -> String {
    nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether the kernel can mount this file system now, with no module to load.
pub fn has_file_system(kind: &str) -> bool {
    fs::read_to_string("/proc/filesystems").is_ok_and(|list| {
        list.lines()
            .any(|line| line.split_whitespace().last() == Some(kind))
    })
}

/// How many errors the kernel has met in the ext4 that is mounted from the device with this node; 0 for other
/// file systems, which do not tell.
pub fn file_system_errors(node: &Path) -> u64 {
    let name = node.file_name().unwrap_or_default();
    let path = Path::new("/sys/fs/ext4").join(name).join("errors_count");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Whether `modprobe` could load this module; nothing is loaded.
pub fn has_module(name: &str) -> bool {
    let Ok(list) = fs::read_to_string(format!("/lib/modules/{}/modules.dep", release())) else {
        return false;
    };
    list.lines()
        .filter_map(|line| line.split(':').next()?.rsplit('/').next())
        .any(|file| file.split('.').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_releases_of_every_distribution() {
        let parse = |text| Version::parse(text);
        assert_eq!(parse("6.8.0-45-generic"), Some(Version(6, 8)));
        assert_eq!(parse("5.10-rc1"), Some(Version(5, 10)));
        assert_eq!(parse("6.12+"), Some(Version(6, 12)));
        assert_eq!(parse("linux"), None);
        assert!(Version(5, 11) > Version(5, 8) && Version(6, 7) > Version(5, 19));
    }
}
