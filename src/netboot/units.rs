//! Whether a boot starts a unit of systemd, by the links that enable it.

use std::io;

use super::{Tree, seen::Place};

/// Where units are, and the links that enable them.
const FOLDERS: [&str; 4] = [
    "etc/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// More than any folder of units has.
const MAX_NAMES: usize = 4096;

/// Whether there is such a unit, not masked, that something starts.
///
/// # Errors
/// Those of the tree.
pub fn is_enabled(root: Place<'_>, unit: &str) -> io::Result<bool> {
    let mut is_there = false;
    for folder in FOLDERS {
        let path = format!("{folder}/{unit}");
        // Masked, in this folder or one that counts more.
        if root.tree.link(path.as_ref())?.as_deref() == Some("/dev/null") {
            return Ok(false);
        }
        let stat = root.stat(&path)?;
        if stat.is_some_and(|stat| stat.size == 0) {
            return Ok(false);
        }
        is_there |= stat.is_some();
    }
    if !is_there {
        return Ok(false);
    }
    for folder in FOLDERS {
        for name in root.list(folder, MAX_NAMES)? {
            let starts = name.ends_with(".wants") || name.ends_with(".requires");
            if starts && has(root.tree, &format!("{folder}/{name}/{unit}"))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether there is something, be it a link that leads nowhere.
fn has(tree: &dyn Tree, path: &str) -> io::Result<bool> {
    Ok(tree.link(path.as_ref())?.is_some() || tree.stat(path.as_ref())?.is_some())
}

/// Whether a script of sysvinit is started.
///
/// # Errors
/// Those of the tree.
pub fn is_started_script(root: Place<'_>, name: &str) -> io::Result<bool> {
    // A unit of its name takes its place, and so does one that is masked.
    let unit = format!("etc/systemd/system/{name}.service");
    let is_there = root.stat(&format!("etc/init.d/{name}"))?.is_some();
    if !is_there || root.tree.link(unit.as_ref())?.as_deref() == Some("/dev/null") {
        return Ok(false);
    }
    for level in ["rcS", "rc2", "rc3"] {
        let names = root.list(&format!("etc/{level}.d"), MAX_NAMES)?;
        // S01resize2fs_once.
        if names
            .iter()
            .any(|link| link.starts_with('S') && link.get(3..) == Some(name))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
