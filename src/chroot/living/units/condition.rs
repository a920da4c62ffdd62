//! Whether a boot would start a unit at all: its conditions, as far as the image's files tell.

use std::{os::unix::fs::PermissionsExt, path::Path};

use nix::{
    fcntl::OFlag,
    sys::stat::{Mode, SFlag, fstat},
};

use super::unit::Unit;
use crate::sys::inroot::Root;

/// What a boot fills, so that it tells nothing before.
const NOT_OF_THE_IMAGE: [&str; 5] = ["/dev/", "/proc/", "/run/", "/sys/", "/tmp/"];

/// Whether all conditions are met. What cannot be told is taken to be.
pub fn are_met(root: &Root, unit: &Unit) -> bool {
    let mut choices = Vec::new();
    for key in unit.settings.keys("Unit") {
        let Some(what) = key.strip_prefix("Condition") else {
            continue;
        };
        for value in unit.settings.all("Unit", key) {
            let (choice, value) = stripped(value, '|');
            let (not, value) = stripped(value, '!');
            let met = test(root, what, &unit.expanded(value)).map(|met| met != not);
            if choice {
                choices.push(met);
            } else if met == Some(false) {
                return false;
            }
        }
    }
    // One of these is enough, and what cannot be told counts only where nothing can.
    choices.iter().all(Option::is_none) || choices.contains(&Some(true))
}

fn stripped(value: &str, sign: char) -> (bool, &str) {
    match value.strip_prefix(sign) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    }
}

/// Nothing where it cannot be told.
fn test(root: &Root, what: &str, value: &str) -> Option<bool> {
    // Those of the first boot alone, and after an update.
    match what {
        "FirstBoot" => return Some(!["yes", "true", "1"].contains(&value)),
        "NeedsUpdate" => return Some(false),
        "PathIsMountPoint" => return Some(false),
        // An image is made for a board.
        "Security" if ["measured-uki", "tpm2", "uefi-secureboot"].contains(&value) => {
            return Some(false);
        }
        "Virtualization" => return Some(["no", "false", "0"].contains(&value)),
        _ => {}
    }
    let path = Path::new(value);
    if !path.is_absolute() || NOT_OF_THE_IMAGE.iter().any(|top| value.starts_with(top)) {
        return None;
    }
    let mode = |flags| {
        let found = root
            .open_at(path, OFlag::O_PATH | flags, Mode::empty())
            .ok()?;
        fstat(&found).ok()
    };
    let is = |flags, kind: SFlag| {
        mode(flags).is_some_and(|stat| stat.st_mode & SFlag::S_IFMT.bits() == kind.bits())
    };
    Some(match what {
        "PathExists" => mode(OFlag::empty()).is_some(),
        "PathIsDirectory" => root.is_dir(path),
        "PathIsSymbolicLink" => is(OFlag::O_NOFOLLOW, SFlag::S_IFLNK),
        "FileNotEmpty" => {
            root.is_file(path) && mode(OFlag::empty()).is_some_and(|stat| stat.st_size > 0)
        }
        "FileIsExecutable" => {
            let data = root.file(path).and_then(|file| file.metadata());
            data.is_ok_and(|data| data.permissions().mode() & 0o111 != 0)
        }
        // More than one name is no error here.
        "DirectoryNotEmpty" => match root.names(path, 1) {
            Ok(names) => !names.is_empty(),
            Err(_) => root.is_dir(path),
        },
        _ => return None,
    })
}
