//! Files of units that systemctl has the manager write, or asks people for.

use std::io::Write;

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{asked::Asked, show};
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    units::{
        name::Kind,
        scope::Scope,
        tree::Tree,
        unit::{Load, Unit},
    },
};

/// What may be set while a unit runs: limits of its control group.
const GROUPS: [&str; 14] = [
    "Allowed",
    "BlockIO",
    "CPU",
    "DefaultMemory",
    "Delegate",
    "Device",
    "IO",
    "IP",
    "ManagedOOM",
    "Memory",
    "Restrict",
    "Slice",
    "Startup",
    "Tasks",
];

/// Writes what systemd itself writes for limits that are to stay.
pub fn set_property(asked: &Asked<'_>, machine: &mut Machine) -> Answer {
    let [word, settings @ ..] = asked.words() else {
        return Answer::fails(1, "Too few arguments.\n");
    };
    let tree = Tree::new(asked.root, asked.scope);
    let (names, _) = asked.names("service", Vec::new);
    let unit = tree.unit(&names[0]);
    if !asked.call.is_root() || settings.is_empty() {
        let why = if settings.is_empty() {
            "Too few arguments."
        } else {
            "Failed to set unit properties: Access denied"
        };
        return Answer::fails(1, format!("{why}\n"));
    }
    let line = asked.line("set-property", &format!("{word} {}", settings.join(" ")));
    if asked.options.has("runtime") || asked.scope.folders()[0] != "/etc/systemd/system.control" {
        return machine.put_off_to_unit(&line, asked.call.line());
    }
    for setting in settings {
        if let Err(why) = limit(asked, &unit, setting) {
            let text = format!("Failed to set unit properties on {}: {why}\n", unit.id);
            return Answer::fails(1, text);
        }
    }
    Answer::ok()
}

fn limit(asked: &Asked<'_>, unit: &Unit, setting: &str) -> Result<(), String> {
    let section = match unit.kind {
        Kind::Service => "Service",
        Kind::Slice => "Slice",
        Kind::Socket => "Socket",
        Kind::Mount => "Mount",
        Kind::Swap => "Swap",
        _ => return Err("Unit type does not support setting properties.".into()),
    };
    let (key, _) = setting
        .split_once('=')
        .ok_or(format!("Not an assignment: {setting}"))?;
    let usual = key.bytes().all(|b| b.is_ascii_alphanumeric());
    if !usual || !GROUPS.iter().any(|begin| key.starts_with(begin)) {
        return Err(format!("Cannot set property {key}, or unknown property."));
    }
    let text = format!(
        "# This is a drop-in unit file extension, created via \"systemctl set-property\"\n\
         # or an equivalent operation. Do not edit.\n[{section}]\n{setting}\n"
    );
    let path = format!("/etc/systemd/system.control/{}.d/50-{key}.conf", unit.id);
    write(asked, &path, &text).map_err(|error| error.to_string())
}

/// `edit --stdin` of systemd 256 and later: the standard input becomes a file beside the unit's, or the unit's own.
pub fn edit(asked: &Asked<'_>, machine: &mut Machine) -> Answer {
    let options = asked.options;
    let (version, _) = show::version(asked, machine);
    let number = version.split(|c: char| !c.is_ascii_digit()).next();
    let number = number.and_then(|number| number.parse::<u32>().ok());
    // An editor needs somebody who uses it.
    if !options.has("stdin") || number.is_none_or(|number| number < 256) {
        return Answer::Pass;
    }
    let Some(text) = &asked.call.stdin else {
        return Answer::NeedsInput;
    };
    let may = asked.call.is_root() && *asked.scope == Scope::System;
    let ([_], true) = (asked.words(), may) else {
        return Answer::Pass;
    };
    let tree = Tree::new(asked.root, asked.scope);
    let (names, _) = asked.names("service", Vec::new);
    let unit = tree.unit(&names[0]);
    if unit.load == Load::NotFound && !options.has("force") {
        let name = &names[0];
        let hint = format!("Run 'systemctl edit --force --full {name}' to create a new unit.");
        return Answer::fails(1, format!("No files found for {name}.\n{hint}\n"));
    }
    let top = if options.has("runtime") {
        "/run"
    } else {
        "/etc"
    };
    let below = options.value("drop-in").unwrap_or("override.conf");
    let below = below.strip_suffix(".conf").unwrap_or(below);
    let path = match options.has("full") {
        true => format!("{top}/systemd/system/{}", unit.id),
        false => format!("{top}/systemd/system/{}.d/{below}.conf", unit.id),
    };
    match write(asked, &path, &String::from_utf8_lossy(text)) {
        Ok(()) => Answer::fails(0, format!("Successfully installed edited file '{path}'.\n")),
        Err(error) => Answer::fails(1, format!("Failed to write {path}: {error}\n")),
    }
}

fn write(asked: &Asked<'_>, path: &str, text: &str) -> std::io::Result<()> {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    asked.root.make_dirs(folder.as_ref())?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = asked
        .root
        .open_at(path.as_ref(), flags, Mode::from_bits_truncate(0o644))?;
    std::fs::File::from(file).write_all(text.as_bytes())
}
