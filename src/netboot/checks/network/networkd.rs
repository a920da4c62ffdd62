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
    let mut is_decided = false;
    for file in for_wired(seen)? {
        match file.fault {
            None => notes.fine(format!("/{} keeps the interface", file.path)),
            Some(saw) => notes.fail(saw, format!("/{}", file.path), HINT),
        }
        is_decided |= file.is_sure;
    }
    // It makes files of ip=, which come after those named 10 to 69.
    let generator = "systemd-network-generator.service";
    if !is_decided && !seen.is_nfs() && units::is_enabled(root, generator)? {
        let hint = "mask systemd-network-generator.service, or add a .network file that matches first and has KeepConfiguration=yes";
        let saw = "of ip= it makes a file that has systemd-networkd set up the interface anew";
        notes.fail(saw, generator, hint);
    }
    notes.fine("no other file is for the interface");
    Ok(())
}

/// Whether the interface is kept by a file that comes before one of this name.
///
/// # Errors
/// Those of the tree.
pub fn is_kept_before(seen: &Seen<'_>, name: &str) -> io::Result<bool> {
    let files = for_wired(seen)?;
    let first = files.iter().find(|file| file.is_sure);
    Ok(first.is_some_and(|file| {
        let own = file.path.rsplit('/').next().unwrap_or_default();
        own < name && file.fault.is_none()
    }))
}

/// A file that is, or may be, for the wired interface.
struct File {
    path: String,
    is_sure: bool,
    /// What it lacks.
    fault: Option<String>,
}

/// Those that may count: the first that matches for sure is the last of them.
fn for_wired(seen: &Seen<'_>) -> io::Result<Vec<File>> {
    let root = seen.root()?;
    let mut found = Vec::new();
    for (path, mut text) in files(root, &FOLDERS, ".network")? {
        if text.trim().is_empty() {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let folders = FOLDERS.map(|folder| format!("{folder}/{name}.d"));
        let folders = folders.each_ref().map(String::as_str);
        for (_, drop_in) in files(root, &folders, ".conf")? {
            text.push('\n');
            text.push_str(&drop_in);
        }
        let lines = ini(&text);
        let matches = matches(seen, &lines);
        if matches == Matches::No {
            continue;
        }
        let is_sure = matches == Matches::Yes;
        let fault = fault(seen, &lines);
        found.push(File {
            path,
            is_sure,
            fault,
        });
        if is_sure {
            break;
        }
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
