//! Whether a boot is to start a unit, in the words of `systemctl list-unit-files`.

use std::collections::BTreeMap;

use super::{
    name,
    tree::Tree,
    unit::{Load, Unit},
};
use crate::sys::inroot::Root;

const PRESETS: [&str; 5] = [
    "/etc/systemd/system-preset",
    "/run/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
];
const MAX_FILES: usize = 1000;
const MAX_BYTES: u64 = 256 << 10;

/// systemd's word for it; none where there is no file.
pub fn state(tree: &Tree<'_>, unit: &Unit) -> &'static str {
    let Some(path) = &unit.fragment else {
        return "";
    };
    match unit.load {
        Load::Masked if path.starts_with("/run/") => return "masked-runtime",
        Load::Masked => return "masked",
        _ if unit.source.is_some() => return "generated",
        _ => {}
    }
    let mut folders = tree.folders.with_link(|link| {
        let instance_of = || name::template(link).is_some_and(|(template, _)| template == unit.id);
        link == unit.id || instance_of()
    });
    for alias in unit.settings.words("Install", "Alias") {
        let alias = unit.expanded(alias);
        if tree.folders.find(&alias).0 == unit.id {
            folders.extend(tree.folders.of_alias(&alias).map(str::to_owned));
        }
    }
    let below = |top: &str| folders.iter().any(|folder| folder.starts_with(top));
    let is_set = |key: &str| !unit.settings.words("Install", key).is_empty();
    if below("/etc/") || folders.iter().any(|folder| folder.contains("/.config/")) {
        "enabled"
    } else if below("/run/") {
        "enabled-runtime"
    } else if ["WantedBy", "RequiredBy", "UpheldBy", "Alias"]
        .into_iter()
        .any(is_set)
    {
        "disabled"
    } else if is_set("Also") {
        "indirect"
    } else {
        "static"
    }
}

/// Whether the distribution wants the unit to be enabled.
pub fn is_preset(root: &Root, id: &str) -> bool {
    let mut files = BTreeMap::new();
    for folder in PRESETS {
        for name in root.names(folder.as_ref(), MAX_FILES).unwrap_or_default() {
            if name.ends_with(".preset") {
                let path = format!("{folder}/{name}");
                files.entry(name).or_insert(path);
            }
        }
    }
    for path in files.into_values() {
        let text = root.read(path.as_ref(), MAX_BYTES).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (rule, pattern) = (words.next(), words.next());
            if pattern.is_some_and(|pattern| name::matches(pattern, id)) {
                match rule {
                    Some("enable") => return true,
                    Some("disable") => return false,
                    _ => {}
                }
            }
        }
    }
    true
}
