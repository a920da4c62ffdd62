//! The image's files of a folder such as sysctl.d, which later ones add to and others of the same name replace.

use std::collections::BTreeMap;

use crate::sys::inroot::Root;

/// Where they are, the most important first: systemd's conf_files_list, without /run, which a boot does not keep.
const FOLDERS: [&str; 4] = ["etc", "usr/local/lib", "usr/lib", "lib"];
/// The most files that are looked at of each folder, and bytes of each file.
const MAX_FILES: usize = 256;
const MAX_BYTES: u64 = 256 << 10;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// Its path in the image, from its root.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Those of this folder, in the order in which they are read.
pub fn files(root: &Root, folder: &str) -> Vec<Conf> {
    let mut found = BTreeMap::new();
    for place in FOLDERS {
        let place = format!("{place}/{folder}");
        for name in root.names(place.as_ref(), MAX_FILES).unwrap_or_default() {
            if name.ends_with(".conf") {
                found
                    .entry(name)
                    .or_insert_with_key(|name| format!("{place}/{name}"));
            }
        }
    }
    // What is no file, such as a link to /dev/null, hides those below it.
    found
        .into_values()
        .filter_map(|path| file(root, &path))
        .collect()
}

/// This one.
pub fn file(root: &Root, path: &str) -> Option<Conf> {
    let text = root.read(path.as_ref(), MAX_BYTES).ok()?;
    let path = format!("/{path}");
    Some(Conf { path, text })
}

/// The lines that say something, without blanks around them.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn they_are_read_by_name_and_etc_wins() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/x.d/50-b.conf", "etc"),
            ("usr/lib/x.d/50-b.conf", "usr"),
            ("usr/lib/x.d/10-a.conf", "first"),
            ("usr/lib/x.d/60-off.conf", "hidden"),
            ("etc/x.d/README", "no"),
        ] {
            let at = dir.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        symlink("/dev/null", dir.path().join("etc/x.d/60-off.conf")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let found = files(&root, "x.d");
        let found = found
            .iter()
            .map(|conf| (conf.path.as_str(), conf.text.as_str()));
        let expected = [
            ("/usr/lib/x.d/10-a.conf", "first"),
            ("/etc/x.d/50-b.conf", "etc"),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
