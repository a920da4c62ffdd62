//! Paths as the user writes them, made absolute.

use std::path::{Path, PathBuf};

use crate::address::Address;

/// `path` from `base`, with a leading `~/` as the `home` folder.
pub fn absolute(path: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.join(below),
        _ => base.join(path),
    }
}

/// A program: a path, or a name that is looked up in `PATH`.
pub fn program(text: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    match text.contains('/') {
        true => absolute(text, base, home),
        false => text.into(),
    }
}

/// The location of an image: a URL stays as it is, a path becomes absolute.
pub fn image(text: &str, base: &Path, home: Option<&Path>) -> String {
    if Address::of(text).scheme.is_some() {
        return text.to_owned();
    }
    absolute(text, base, home).to_string_lossy().into_owned()
}

/// A checksum: `file:PATH` becomes absolute, everything else stays as it is.
pub fn checksum(text: &str, base: &Path, home: Option<&Path>) -> String {
    match text.strip_prefix("file:") {
        Some(path) if Address::of(path).scheme.is_none() => {
            format!("file:{}", absolute(path, base, home).display())
        }
        _ => text.to_owned(),
    }
}

/// An inventory: a comma-separated list of hosts stays as it is, a path becomes absolute.
pub fn inventory(text: &str, base: &Path, home: Option<&Path>) -> String {
    if text.contains(',') {
        return text.to_owned();
    }
    absolute(text, base, home).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_become_absolute() {
        let (base, home) = (Path::new("/b"), Some(Path::new("/h")));
        let image = |text| image(text, base, home);
        assert_eq!(image("https://x/a.img.xz"), "https://x/a.img.xz");
        assert_eq!(image("a.img.xz"), "/b/a.img.xz");
        assert_eq!(image("d/a"), "/b/d/a");
        assert_eq!(image("~/a.img"), "/h/a.img");
        assert_eq!(checksum("file:SUMS", base, home), "file:/b/SUMS");
        assert_eq!(checksum("file:https://x/S", base, home), "file:https://x/S");
        assert_eq!(checksum("none", base, home), "none");
        assert_eq!(inventory("a,b", base, home), "a,b");
        assert_eq!(inventory("hosts", base, home), "/b/hosts");
    }
}
