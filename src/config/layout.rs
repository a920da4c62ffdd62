//! `image.layout` of pichroot.yml.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use crate::error::{Error, Result};

/// The highest partition number a table can hold.
const HIGHEST: u32 = 128;

/// Checks mount points by partition number: absolute, each once, the root among them.
///
/// # Errors
/// [`crate::error::Kind::Usage`], with the partition's number.
pub fn check(layout: BTreeMap<u32, String>) -> Result<BTreeMap<u32, PathBuf>> {
    let hint = "write it like {1: /boot/firmware, 2: /}";
    let mut checked: BTreeMap<u32, PathBuf> = BTreeMap::new();
    for (number, path) in layout {
        let wrong = |what: &str| Error::usage(format!("image.layout: {number}: {what}")).hint(hint);
        if !(1..=HIGHEST).contains(&number) {
            return Err(wrong("partitions are numbered from 1 to 128"));
        }
        let mount = Path::new(&path);
        let plain = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
        if !mount.is_absolute() || !mount.components().all(plain) {
            return Err(wrong(&format!("{path} is not an absolute path without ..")));
        }
        let mount: PathBuf = mount.components().collect();
        if checked.values().any(|other| *other == mount) {
            return Err(wrong(&format!("{path} is there twice")));
        }
        checked.insert(number, mount);
    }
    if !checked.values().any(|path| path == Path::new("/")) {
        return Err(Error::usage("image.layout has no partition for /").hint(hint));
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_layouts_of_plain_paths() {
        let check = |pairs: &[(u32, &str)]| {
            check(
                pairs
                    .iter()
                    .map(|(n, path)| (*n, (*path).to_owned()))
                    .collect(),
            )
        };
        assert!(check(&[(1, "/boot/firmware/"), (2, "/")]).is_ok());
        for bad in [
            &[(2, "/boot")][..],
            &[(0, "/")],
            &[(129, "/")],
            &[(1, "/"), (2, "boot")],
            &[(1, "/"), (2, "/../etc")],
            &[(1, "/"), (2, "/a"), (3, "/a/")],
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
