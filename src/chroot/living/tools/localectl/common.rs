//! What languages and keyboards have in common.

use crate::chroot::living::{call::Call, env_file::text, machine::Machine};

pub(super) fn is_debian(machine: &Machine) -> bool {
    machine.at("/etc/debian_version").exists()
}

/// Lines of at least two words, of a table that systemd brings along.
pub(super) fn mapping(machine: &Machine, path: &str) -> Vec<Vec<String>> {
    let text = text(machine, path).unwrap_or_default();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| {
        line.split_whitespace()
            .map(|word| word.trim_matches('"').to_owned())
            .collect()
    });
    words
        .filter(|words: &Vec<String>| words.len() > 1)
        .collect()
}

pub(super) fn allowed(call: &Call) -> Result<(), String> {
    match call.is_root() {
        true => Ok(()),
        false => Err("Interactive authentication required.".into()),
    }
}
