//! dhcpcd takes its configuration away when it ends, unless told to be `persistent`, which dhcpcd.conf(5) has for a root over NFS.

use std::io;

use super::{
    super::super::{finding::Notes, seen::Seen, units},
    is_wired,
};

/// `dhcpcd`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    if !units::is_enabled(root, "dhcpcd.service")? && !units::is_enabled(root, "dhcpcd5.service")? {
        notes.fine("it is not enabled");
        return Ok(());
    }
    let path = "etc/dhcpcd.conf";
    let text = root.text(path)?.unwrap_or_default();
    let (mut is_persistent, mut is_denied, mut allowed) = (false, false, None);
    for line in text.lines().map(str::trim) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.split('#').next().unwrap_or_default();
        let patterns = || {
            rest.split([' ', ',', '\t'])
                .filter(|pattern| !pattern.is_empty())
        };
        match word {
            // What follows is for that one alone.
            "interface" | "ssid" | "profile" | "arping" => break,
            "persistent" => is_persistent = true,
            "denyinterfaces" => is_denied |= is_wired(seen, patterns()),
            "allowinterfaces" => {
                allowed = Some(allowed.unwrap_or(false) | is_wired(seen, patterns()))
            }
            _ => {}
        }
    }
    if is_denied || allowed == Some(false) {
        notes.fine("it leaves the interface alone");
    } else if is_persistent {
        notes.fine("it is persistent");
    } else {
        let hint = "add the line persistent, or denyinterfaces eth0 end0, before the first line with interface";
        notes.fail(
            "it takes the address away when it ends, before the root is unmounted",
            format!("/{path}"),
            hint,
        );
    }
    Ok(())
}
