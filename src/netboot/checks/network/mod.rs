//! What takes the network away from under the root: each program that sets up interfaces must leave the one alone that the kernel or the
//! initramfs has set up, or be told to keep it.

pub mod cloud_init;
pub mod dhcpcd;
pub mod ifupdown;
pub mod manager;
pub mod netplan;
pub mod networkd;

use std::io;

use super::super::{
    glob,
    seen::{Place, Seen},
};

/// More than any folder of settings has.
const MAX_FILES: usize = 1000;

/// The names that the wired interface may have.
fn interfaces(seen: &Seen<'_>) -> Vec<&'static str> {
    let boards: Vec<_> = seen.loads.iter().map(|load| load.board).collect();
    glob::interfaces(&boards)
}

/// Whether one of these patterns matches a name that the wired interface may have.
fn is_wired<'a>(seen: &Seen<'_>, patterns: impl IntoIterator<Item = &'a str>) -> bool {
    let names = interfaces(seen);
    patterns
        .into_iter()
        .any(|pattern| names.iter().any(|name| glob::matches(pattern, name)))
}

/// A line of an ini file: its section, its key and its value.
struct Line {
    section: String,
    key: String,
    value: String,
}

/// The settings of an ini file.
fn ini(text: &str) -> Vec<Line> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
        } else if !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            lines.push(Line {
                section: section.clone(),
                key: key.trim().trim_end_matches(['+', '-']).to_owned(),
                value: value.trim().to_owned(),
            });
        }
    }
    lines
}

/// Whether a value is a yes, or a no, as systemd and NetworkManager write them.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// The files with this ending in folders of which the first counts most, by name: a file hides those of its name in later folders, and one that
/// is empty or leads to /dev/null hides them without being one.
fn files(root: Place<'_>, folders: &[&str], ending: &str) -> io::Result<Vec<(String, String)>> {
    let mut found = std::collections::BTreeMap::new();
    for folder in folders {
        for name in root.list(folder, MAX_FILES)? {
            if name.ends_with(ending) && !found.contains_key(&name) {
                let path = format!("{folder}/{name}");
                let is_masked = root.tree.link(path.as_ref())?.as_deref() == Some("/dev/null");
                let text = if is_masked { None } else { root.text(&path)? };
                found.insert(name, (path, text.unwrap_or_default()));
            }
        }
    }
    Ok(found.into_values().collect())
}
