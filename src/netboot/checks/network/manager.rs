//! NetworkManager keeps an interface that is set up when it starts, unless `keep-configuration=no` (NetworkManager.conf(5)).

use std::io;

use super::{
    super::super::{finding::Notes, seen::Seen, units},
    Line, boolean, files, ini, is_wired,
};

/// `network-manager`
pub fn check(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    if !units::is_enabled(root, "NetworkManager.service")? {
        notes.fine("it is not enabled");
        return Ok(());
    }
    let folders = ["etc/NetworkManager/conf.d", "usr/lib/NetworkManager/conf.d"];
    let mut settings = files(root, &folders, ".conf")?;
    let main = "etc/NetworkManager/NetworkManager.conf";
    settings.insert(0, (main.to_owned(), root.text(main)?.unwrap_or_default()));
    let lines: Vec<(&str, Line)> = settings
        .iter()
        .flat_map(|(path, text)| ini(text).into_iter().map(move |line| (path.as_str(), line)))
        .collect();
    let ignored = lines.iter().any(|(_, line)| {
        line.section == "keyfile" && line.key == "unmanaged-devices" && covers(seen, &line.value)
    });
    let mut is_unmanaged = ignored;
    let mut dropping = None;
    for (path, line) in &lines {
        if !line.section.starts_with("device") || !is_for_wired(seen, &lines, path, &line.section) {
            continue;
        }
        match (line.key.as_str(), boolean(&line.value)) {
            ("managed", Some(false)) => is_unmanaged = true,
            ("keep-configuration", Some(false)) => dropping = Some(*path),
            ("keep-configuration", Some(true)) => dropping = None,
            _ => {}
        }
    }
    match dropping {
        _ if is_unmanaged => notes.fine("it does not manage the interface"),
        None => notes.fine("it keeps what is set up when it starts"),
        Some(path) => {
            let hint = "take keep-configuration=no out, or write to a file of conf.d: [keyfile] unmanaged-devices=interface-name:eth0;interface-name:end0";
            notes.fail(
                "keep-configuration=no has it set up the interface anew",
                format!("/{path}"),
                hint,
            );
        }
    }
    Ok(())
}

/// Whether a section of devices is for the wired interface.
fn is_for_wired(seen: &Seen<'_>, lines: &[(&str, Line)], path: &str, section: &str) -> bool {
    let mut own = lines
        .iter()
        .filter(|(other, line)| *other == path && line.section == section);
    let device = own.find(|(_, line)| line.key == "match-device");
    device.is_none_or(|(_, line)| covers(seen, &line.value))
}

/// Whether a list of devices has the wired interface in it.
fn covers(seen: &Seen<'_>, list: &str) -> bool {
    let specs: Vec<&str> = list
        .split([';', ','])
        .map(str::trim)
        .filter(|spec| !spec.is_empty())
        .collect();
    let matches = |spec: &str| match spec.split_once(':') {
        Some(("interface-name", name)) => is_wired(seen, [name.trim_start_matches('=')]),
        Some(("type", kind)) => kind == "ethernet",
        _ => spec == "*" || is_wired(seen, [spec]),
    };
    let (except, plain): (Vec<&str>, Vec<&str>) =
        specs.iter().partition(|spec| spec.starts_with("except:"));
    let is_excepted = except.iter().any(|spec| matches(&spec["except:".len()..]));
    // A list of nothing but exceptions has all others in it.
    !is_excepted
        && (plain.iter().any(|spec| matches(spec)) || plain.is_empty() && !except.is_empty())
}
