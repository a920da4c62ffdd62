//! Verbs that only change and show files: systemctl itself does that in a chroot, once it knows that it is in one.

use std::io::Write;

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{Asked, act};
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    units::{
        name::Kind,
        tree::Tree,
        unit::{Load, Unit},
    },
};

/// By this systemctl knows; sudo may have taken it away.
const OFFLINE: &str = "SYSTEMD_OFFLINE";

/// Has systemctl change files. What runs goes on, and nothing else starts, unless `--now` says so.
pub fn change(asked: &Asked<'_>, machine: &mut Machine, verb: &str) -> Answer {
    let now = asked.options.has("now") && ["enable", "disable", "mask"].contains(&verb);
    let active = {
        let tree = Tree::new(asked.root, asked.scope);
        machine.units.active(asked.root, &tree, asked.scope)
    };
    let mut answer = itself(asked);
    let tree = Tree::new(asked.root, asked.scope);
    machine.units.keep(asked.root, &tree, asked.scope, &active);
    if !now || !matches!(answer, Answer::Said { code: 0, .. }) {
        return answer;
    }
    let Answer::Said { code, out, err } = act::now(asked, machine, verb) else {
        return answer;
    };
    if let Answer::Said {
        code: c,
        out: o,
        err: e,
    } = &mut answer
    {
        *c = code;
        o.extend(out);
        e.extend(err);
    }
    answer
}

/// Has it say something about files.
pub fn ask(asked: &Asked<'_>) -> Answer {
    if asked.options.words[0] == "is-enabled" && !asked.words().is_empty() {
        let tree = Tree::new(asked.root, asked.scope);
        let (names, _) = asked.names("service", Vec::new);
        // Of these it has no file, and a boot would make one.
        let mounts = names
            .iter()
            .all(|name| tree.unit(name).source.as_deref() == Some("/etc/fstab"));
        if mounts && !names.is_empty() {
            return Answer::out("generated\n".repeat(names.len()));
        }
    }
    let is = |(key, value): &(_, _)| key == OFFLINE && value == "1";
    if asked.call.environment.iter().any(is) {
        Answer::Pass
    } else {
        itself(asked)
    }
}

/// systemctl itself, with the same words but for `--now`, which it cannot do.
fn itself(asked: &Asked<'_>) -> Answer {
    let offline = format!("{OFFLINE}=1");
    let program = asked.call.program.to_string_lossy();
    let mut args = vec![&*offline, &*program];
    args.extend(
        asked
            .call
            .args
            .iter()
            .map(String::as_str)
            .filter(|arg| *arg != "--now"),
    );
    match asked.call.real("/usr/bin/env", &args) {
        Ok(ended) => Answer::Said {
            code: ended
                .status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
            out: ended.stdout,
            err: without_chroot(&ended.stderr),
        },
        Err(error) => Answer::fails(1, format!("pichroot: cannot run {program}: {error}\n")),
    }
}

/// What it says, but for what it says only in a chroot: it has programs that change links of init scripts, and those have it
/// read units again.
fn without_chroot(said: &[u8]) -> Vec<u8> {
    let lines = said.split_inclusive(|b| *b == b'\n');
    lines
        .filter(|line| !line.starts_with(b"Running in chroot, ignoring "))
        .flatten()
        .copied()
        .collect()
}

/// Shows files, each after its path.
pub fn cat(asked: &Asked<'_>) -> Answer {
    if asked.words().is_empty() {
        return Answer::fails(1, "Too few arguments.\n");
    }
    let tree = Tree::new(asked.root, asked.scope);
    let (names, mut err) = asked.names("service", || tree.folders.names().into_iter().collect());
    let (mut code, mut parts) = (0, Vec::new());
    for name in names {
        let unit = tree.unit(&name);
        if unit.load == Load::NotFound || unit.source.is_some() || unit.fragment.is_none() {
            err.push_str(&format!("No files found for {name}.\n"));
            code = 1;
            continue;
        }
        for path in unit.fragment.iter().chain(&unit.drop_ins) {
            parts.push(format!("# {path}\n{}", tree.folders.text(path)));
        }
    }
    Answer::Said {
        code,
        out: parts.join("\n").into_bytes(),
        err: err.into_bytes(),
    }
}

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
    let folder = format!("/etc/systemd/system.control/{}.d", unit.id);
    let text = format!(
        "# This is a drop-in unit file extension, created via \"systemctl set-property\"\n\
         # or an equivalent operation. Do not edit.\n[{section}]\n{setting}\n"
    );
    let write = || {
        asked.root.make_dirs(folder.as_ref())?;
        let flags = OFlag::O_WRONLY
            | OFlag::O_CREAT
            | OFlag::O_TRUNC
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK;
        let path = format!("{folder}/50-{key}.conf");
        let file = asked
            .root
            .open_at(path.as_ref(), flags, Mode::from_bits_truncate(0o644))?;
        std::fs::File::from(file).write_all(text.as_bytes())
    };
    write().map_err(|error: std::io::Error| error.to_string())
}
