//! ifupdown sets up what /etc/network/interfaces has `auto`, and takes it down at the shutdown, unless `no-auto-down` or the method
//! `manual` says otherwise (interfaces(5)).

use std::io;

use super::{
    super::super::{
        finding::Notes,
        glob,
        seen::{Place, Seen},
        units,
    },
    MAX_FILES, is_wired,
};

/// How deep files may include each other, and how many there may be.
const MAX_DEPTH: usize = 4;

/// All that the files say.
#[derive(Default)]
struct Interfaces {
    /// Those that are set up at the boot, with the file.
    automatic: Vec<(String, String)>,
    /// Those that stay up.
    kept: Vec<String>,
    /// Each with its method.
    methods: Vec<(String, String)>,
    files: usize,
}

/// `ifupdown`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    let runs = units::is_enabled(root, "networking.service")?
        || units::is_started_script(root, "networking")?;
    if !runs {
        notes.fine("it is not enabled");
        return Ok(());
    }
    let mut interfaces = Interfaces::default();
    read(root, "etc/network/interfaces", 0, &mut interfaces)?;
    for (pattern, path) in &interfaces.automatic {
        // /eth* is a pattern, eth0 a name.
        let name = pattern.trim_start_matches('/');
        if !is_wired(seen, [name]) {
            continue;
        }
        let is_about = |other: &str| {
            glob::matches(other.trim_start_matches('/'), name) || glob::matches(name, other)
        };
        let mut methods = interfaces
            .methods
            .iter()
            .filter(|(other, _)| is_about(other));
        let is_manual = methods.all(|(_, method)| method == "manual");
        if is_manual {
            notes.fine(format!("{name} is manual"));
        } else if interfaces.kept.iter().any(|other| is_about(other)) {
            notes.fine(format!("{name} is not taken down"));
        } else {
            let hint = format!(
                "make it manual (iface {name} inet manual), or add the line no-auto-down {name}"
            );
            notes.fail(
                format!("{name} is set up anew, and taken down before the root is unmounted"),
                format!("/{path}"),
                hint,
            );
        }
    }
    notes.fine("nothing else is for the interface");
    Ok(())
}

fn read(root: Place<'_>, path: &str, depth: usize, found: &mut Interfaces) -> io::Result<()> {
    found.files += 1;
    if depth > MAX_DEPTH || found.files > MAX_FILES {
        return Err(io::Error::other(
            "/etc/network/interfaces includes too many files",
        ));
    }
    let text = root.text(path)?.unwrap_or_default().replace("\\\n", " ");
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["auto" | "allow-auto" | "allow-hotplug", ref names @ ..] => {
                found.automatic.extend(
                    names
                        .iter()
                        .map(|name| ((*name).to_owned(), path.to_owned())),
                );
            }
            ["no-auto-down", ref names @ ..] => {
                found
                    .kept
                    .extend(names.iter().map(|name| (*name).to_owned()));
            }
            ["iface", name, "inet", method, ..] => {
                found.methods.push((name.to_owned(), method.to_owned()));
            }
            ["source", pattern] => included(root, pattern, depth, found)?,
            ["source-directory", folder] => included(root, &format!("{folder}/*"), depth, found)?,
            _ => {}
        }
    }
    Ok(())
}

/// The files that a pattern stands for; it is one in the last part of the path only.
fn included(
    root: Place<'_>,
    pattern: &str,
    depth: usize,
    found: &mut Interfaces,
) -> io::Result<()> {
    let pattern = match pattern.strip_prefix('/') {
        Some(path) => path.to_owned(),
        None => format!("etc/network/{pattern}"),
    };
    let (folder, last) = pattern.rsplit_once('/').unwrap_or((".", &pattern));
    for name in root.list(folder, MAX_FILES)? {
        let path = format!("{folder}/{name}");
        if glob::matches(last, &name) && root.is_file(&path)? {
            read(root, &path, depth + 1, found)?;
        }
    }
    Ok(())
}
