//! systemd-networkd removes addresses that it has not set itself from an interface that a .network file matches, unless
//! `KeepConfiguration=` or `Unmanaged=` says otherwise (systemd.network(5), systemd-networkd.service(8)).

use std::io;

use super::{
    super::super::{finding::Notes, glob, seen::Seen, units},
    Line, boolean, files, ini, interfaces,
};

const FOLDERS: [&str; 4] = [
    "etc/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
    "lib/systemd/network",
];

const HINT: &str = "add [Network] KeepConfiguration=yes to that file, or [Link] Unmanaged=yes";

/// Whether a file is for the wired interface.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Matches {
    No,
    Maybe,
    Yes,
}

/// `systemd-networkd`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    if !units::is_enabled(root, "systemd-networkd.service")? {
        notes.fine("it is not enabled");
        return Ok(());
    }
    for (path, lines) in settings(seen)? {
        let matches = matches(seen, &lines);
        if matches == Matches::No {
            continue;
        }
        match fault(seen, &lines) {
            None => notes.fine(format!("/{path} keeps the interface")),
            Some(saw) => notes.fail(saw, format!("/{path}"), HINT),
        }
        // The first file that matches is the one that counts.
        if matches == Matches::Yes {
            return Ok(());
        }
    }
    // It makes files of ip=, which come after those named 10 to 69.
    if units::is_enabled(root, "systemd-network-generator.service")? && !seen.is_nfs() {
        let hint = "mask systemd-network-generator.service, or add a .network file that matches first and has KeepConfiguration=yes";
        notes.fail(
            "of ip= it makes a file that has systemd-networkd set up the interface anew",
            "systemd-network-generator.service",
            hint,
        );
    }
    notes.fine("no other file is for the interface");
    Ok(())
}

/// The file that counts before those of netplan, and keeps the wired interface.
///
/// # Errors
/// Those of the tree.
pub fn keeps_before_netplan(seen: &Seen<'_>) -> io::Result<Option<String>> {
    for (path, lines) in settings(seen)? {
        if path.rsplit('/').next() >= Some("10-netplan-") {
            break;
        }
        if matches(seen, &lines) == Matches::Yes {
            return Ok(fault(seen, &lines).is_none().then_some(path));
        }
    }
    Ok(None)
}

/// Each file with what it and its drop-ins say, in the order in which they count.
fn settings(seen: &Seen<'_>) -> io::Result<Vec<(String, Vec<Line>)>> {
    let root = seen.root()?;
    let mut found = Vec::new();
    for (path, mut text) in files(root, &FOLDERS, ".network")? {
        if text.trim().is_empty() {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let folders = FOLDERS.map(|folder| format!("{folder}/{name}.d"));
        for (_, drop_in) in files(root, &folders.each_ref().map(String::as_str), ".conf")? {
            text.push('\n');
            text.push_str(&drop_in);
        }
        found.push((path, ini(&text)));
    }
    Ok(found)
}

/// What a file that matches lacks.
fn fault(seen: &Seen<'_>, lines: &[Line]) -> Option<String> {
    let value = |section: &str, key: &str| {
        let mut found = lines
            .iter()
            .rev()
            .filter(|line| line.section == section && line.key == key);
        found.next().map(|line| line.value.as_str())
    };
    if value("Link", "Unmanaged").and_then(boolean) == Some(true) {
        return None;
    }
    match value("Network", "KeepConfiguration") {
        Some("static") => None,
        Some(keep) if boolean(keep) == Some(true) => None,
        Some(keep) => Some(format!(
            "KeepConfiguration={keep} drops what the initramfs has set up"
        )),
        // Its own default is yes where the root is on a network file system, which one on a block device is not.
        None if seen.is_nfs() => None,
        None => {
            Some("it is for the wired interface, and drops what the initramfs has set up".into())
        }
    }
}

fn matches(seen: &Seen<'_>, lines: &[Line]) -> Matches {
    let section: Vec<&Line> = lines
        .iter()
        .filter(|line| line.section == "Match")
        .collect();
    if section.is_empty() {
        // Such a file is for all interfaces, says systemd with a warning.
        return Matches::Yes;
    }
    let mut result = Matches::Yes;
    for line in section {
        let words: Vec<&str> = line.value.split_whitespace().collect();
        let one = match line.key.as_str() {
            "Name" => of_names(&interfaces(seen), &words),
            "Type" => of_names(&["ether"], &words),
            "Kind" => match words.first() {
                // No real interface has a kind, so only "none of these" is for it.
                Some(word) if !word.starts_with('!') => Matches::No,
                _ => Matches::Yes,
            },
            "WLANInterfaceType" | "SSID" | "BSSID" => Matches::No,
            _ => Matches::Maybe,
        };
        result = result.min(one);
    }
    result
}

fn of_names(names: &[&str], patterns: &[&str]) -> Matches {
    let is_negated = patterns.first().is_some_and(|first| first.starts_with('!'));
    let found = names.iter().any(|name| {
        patterns
            .iter()
            .any(|pattern| glob::matches(pattern.trim_start_matches('!'), name))
    });
    match found != is_negated {
        true => Matches::Yes,
        false => Matches::No,
    }
}
