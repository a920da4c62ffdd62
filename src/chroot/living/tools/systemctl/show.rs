//! `systemctl show`.

use super::{asked::Asked, properties};
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    stamp::stamp,
    units::{name, tree::Tree},
};

/// Prints properties of units, or of the manager.
pub fn show(asked: &Asked<'_>, machine: &mut Machine) -> Answer {
    if asked.words().is_empty() {
        let manager = manager(asked, machine);
        return Answer::out(text(asked, &manager));
    }
    let tree = Tree::new(asked.root, asked.scope);
    let (names, err) = asked.names("service", || asked.loaded(machine, &tree));
    let mut parts = Vec::new();
    for name in names {
        if name::is_template(&name) {
            let why = format!("Unit name {name} is neither a valid invocation ID nor unit name.");
            return Answer::fails(1, format!("{err}Failed to get properties: {why}\n"));
        }
        let unit = tree.unit(&name);
        let properties = properties::of(asked, machine, &tree, &unit, &wanted(asked));
        parts.push(text(asked, &properties));
    }
    Answer::Said {
        code: 0,
        out: parts.join("\n").into_bytes(),
        err: err.into_bytes(),
    }
}

/// The names of those that were asked for.
fn wanted<'a>(asked: &Asked<'a>) -> Vec<&'a str> {
    [
        asked.options.list("property"),
        asked.options.list("values-of"),
    ]
    .concat()
}

/// Those that were asked for, or all that are not empty.
fn text(asked: &Asked<'_>, properties: &[(String, String)]) -> String {
    let (options, wanted) = (asked.options, wanted(asked));
    let (all, value_only) = (
        options.has("all"),
        options.has("value") || options.has("values-of"),
    );
    let mut text = String::new();
    for (key, value) in properties {
        let named = wanted.contains(&&**key);
        if !(named || wanted.is_empty() && (all || !value.is_empty())) {
            continue;
        }
        text += &if value_only {
            format!("{value}\n")
        } else {
            format!("{key}={value}\n")
        };
    }
    text
}

/// Those of the manager itself.
fn manager(asked: &Asked<'_>, machine: &mut Machine) -> Vec<(String, String)> {
    let (version, features) = version(asked, machine);
    let tree = Tree::new(asked.root, asked.scope);
    let since = stamp(machine.units.booted);
    let loaded = asked.loaded(machine, &tree).len();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    [
        ("Version", version),
        ("Features", features),
        ("UserspaceTimestamp", since.clone()),
        ("FinishTimestamp", since),
        ("LogLevel", "info".into()),
        ("LogTarget", "journal-or-kmsg".into()),
        ("NNames", loaded.to_string()),
        ("NFailedUnits", "0".into()),
        ("NJobs", "0".into()),
        ("NFailedJobs", "0".into()),
        ("Progress", "1".into()),
        ("Environment", format!("LANG=C.UTF-8 PATH={path}")),
        ("ConfirmSpawn", "no".into()),
        ("UnitPath", asked.scope.folders().join(" ")),
        ("DefaultStandardOutput", "journal".into()),
        ("DefaultStandardError", "inherit".into()),
        ("SystemState", "running".into()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// systemd's version with its distribution's addition, and what it was built with.
pub fn version(asked: &Asked<'_>, machine: &mut Machine) -> (String, String) {
    if machine.units.version.is_none() {
        let program = asked.call.program.to_string_lossy();
        let said = asked.call.real(&program, &["--version"]);
        let said = said.map(|ended| String::from_utf8_lossy(&ended.stdout).into_owned());
        machine.units.version = Some(said.unwrap_or_default());
    }
    let said = machine.units.version.clone().unwrap_or_default();
    let mut lines = said.lines();
    let first = lines.next().unwrap_or_default();
    let inside = first
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let number = first.split_whitespace().nth(1).unwrap_or_default();
    let version = inside.map_or(number, |(version, _)| version).to_owned();
    (version, lines.next().unwrap_or_default().to_owned())
}
