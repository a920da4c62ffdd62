//! What `systemctl show` tells of a unit.

use super::{act::can_reload, asked::Asked, property};
use crate::chroot::living::{
    machine::Machine,
    stamp::stamp,
    units::{
        enabled,
        name::Kind,
        tree::Tree,
        unit::{Load, Unit},
    },
};

/// All properties of a unit that there are without a running manager; those that are not set are empty. `wanted` are those that
/// are asked for, or none for all.
pub fn of(
    asked: &Asked<'_>,
    machine: &Machine,
    tree: &Tree<'_>,
    unit: &Unit,
    wanted: &[&str],
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |key: &str, value: String| all.push((key.to_owned(), value));
    if unit.kind == Kind::Service {
        if unit.load == Load::Loaded {
            add("Type", unit.service_type().into());
        }
        for (key, value) in PROCESS {
            add(key, (*value).into());
        }
        let yes_no = |is| if is { "yes" } else { "no" };
        add("RemainAfterExit", yes_no(unit.is("RemainAfterExit")).into());
        for (key, value) in property::commands(unit) {
            add(&key, value);
        }
        add("Slice", unit.own("Slice").unwrap_or("system.slice").into());
    }
    all.extend(
        property::of_settings(unit)
            .into_iter()
            .filter(|(key, _)| key != "Type"),
    );
    for key in EXEC {
        if unit.kind == Kind::Service && !all.iter().any(|(known, _)| known == key) {
            all.push(((*key).into(), String::new()));
        }
    }
    if unit.kind == Kind::Service {
        joined(unit, &mut all);
    }
    all.extend(general(asked, machine, tree, unit, wanted));
    all
}

/// Of processes that nobody has started.
const PROCESS: &[(&str, &str)] = &[
    ("MainPID", "0"),
    ("ControlPID", "0"),
    ("Result", "success"),
    ("NRestarts", "0"),
    ("ExecMainPID", "0"),
    ("ExecMainCode", "0"),
    ("ExecMainStatus", "0"),
    ("StatusText", ""),
];

/// What may be asked for by name, and is empty where a service does not set it.
const EXEC: &[&str] = &[
    "BusName",
    "CacheDirectory",
    "EnvironmentFiles",
    "Environment",
    "Group",
    "LogsDirectory",
    "PIDFile",
    "ReadWritePaths",
    "RootDirectory",
    "RuntimeDirectory",
    "StateDirectory",
    "SupplementaryGroups",
    "User",
    "WorkingDirectory",
];

/// Settings that may be there several times.
fn joined(unit: &Unit, all: &mut Vec<(String, String)>) {
    let values = |key| unit.settings.all("Service", key);
    let files: Vec<String> = values("EnvironmentFile")
        .into_iter()
        .map(|file| match file.strip_prefix('-') {
            Some(file) => format!("{} (ignore_errors=yes)", unit.expanded(file)),
            None => format!("{} (ignore_errors=no)", unit.expanded(file)),
        })
        .collect();
    for (key, value) in [
        ("EnvironmentFiles", files.join("\n")),
        (
            "Environment",
            unit.expanded(&values("Environment").join(" ")),
        ),
    ] {
        if let Some((_, known)) = all.iter_mut().find(|(known, _)| known == key) {
            *known = value;
        }
    }
    all.retain(|(key, _)| key != "EnvironmentFile");
}

fn general(
    asked: &Asked<'_>,
    machine: &Machine,
    tree: &Tree<'_>,
    unit: &Unit,
    wanted: &[&str],
) -> Vec<(String, String)> {
    let state = machine.units.state(asked.root, tree, asked.scope, unit);
    let yes_no = |is| if is { "yes" } else { "no" }.to_owned();
    let loaded = unit.load == Load::Loaded;
    let units = |key| unit.units(key).join(" ");
    // It takes a look at all units, so only if somebody asks.
    let is_wanted = |key| wanted.is_empty() || wanted.contains(&key);
    let loaded_units = match REVERSE.into_iter().any(is_wanted) {
        true => asked.loaded(machine, tree),
        false => Vec::new(),
    };
    let by = |key: &str| by(tree, &loaded_units, unit, key);
    let since = |is| {
        if is {
            stamp(state.since)
        } else {
            String::new()
        }
    };
    let preset = |is| if is { "enabled" } else { "disabled" };
    let names = [vec![unit.id.clone()], aliases(tree, unit)]
        .concat()
        .join(" ");
    let error = match unit.load {
        Load::Loaded => String::new(),
        Load::NotFound => wrong("NoSuchUnit", &format!("Unit {} not found.", unit.id)),
        Load::Masked => wrong("UnitMasked", &format!("Unit {} is masked.", unit.id)),
        Load::Bad => wrong(
            "BadUnitSetting",
            &format!("Unit {} has a bad unit file setting.", unit.id),
        ),
    };
    let manual = |key| !unit.general(key, false);
    [
        ("Id", unit.id.clone()),
        ("Names", names),
        (
            "Requires",
            if loaded {
                tree.requires(unit).join(" ")
            } else {
                String::new()
            },
        ),
        ("Requisite", units("Requisite")),
        (
            "Wants",
            if loaded {
                tree.wants(unit).join(" ")
            } else {
                String::new()
            },
        ),
        ("BindsTo", units("BindsTo")),
        ("PartOf", units("PartOf")),
        ("RequiredBy", by("RequiredBy")),
        ("WantedBy", by("WantedBy")),
        ("Conflicts", units("Conflicts")),
        ("Before", units("Before")),
        ("After", units("After")),
        ("Triggers", unit.triggers().unwrap_or_default()),
        ("TriggeredBy", by("TriggeredBy")),
        (
            "Documentation",
            unit.settings
                .words("Unit", "Documentation")
                .iter()
                .map(|page| format!("\"{page}\""))
                .collect::<Vec<_>>()
                .join(" "),
        ),
        ("Description", unit.description()),
        ("LoadState", unit.load.word().into()),
        ("ActiveState", state.word().into()),
        ("FreezerState", "running".into()),
        ("SubState", state.sub.into()),
        ("FragmentPath", unit.fragment.clone().unwrap_or_default()),
        ("SourcePath", unit.source.clone().unwrap_or_default()),
        ("DropInPaths", unit.drop_ins.join(" ")),
        ("UnitFileState", enabled::state(tree, unit).into()),
        (
            "UnitFilePreset",
            unit.fragment
                .as_ref()
                .map_or("", |_| preset(enabled::is_preset(asked.root, &unit.id)))
                .into(),
        ),
        ("StateChangeTimestamp", since(state.was_active)),
        ("InactiveExitTimestamp", since(state.active)),
        ("ActiveEnterTimestamp", since(state.active)),
        (
            "ActiveExitTimestamp",
            since(state.was_active && !state.active),
        ),
        (
            "InactiveEnterTimestamp",
            since(state.was_active && !state.active),
        ),
        ("CanStart", yes_no(loaded && manual("RefuseManualStart"))),
        ("CanStop", yes_no(manual("RefuseManualStop"))),
        ("CanReload", yes_no(loaded && can_reload(unit))),
        (
            "CanIsolate",
            yes_no(loaded && unit.general("AllowIsolate", false)),
        ),
        ("NeedDaemonReload", "no".into()),
        ("ConditionResult", yes_no(state.was_active)),
        ("AssertResult", yes_no(state.was_active)),
        ("LoadError", error),
        ("Transient", "no".into()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What other units say about this one.
const REVERSE: [&str; 3] = ["RequiredBy", "TriggeredBy", "WantedBy"];

fn wrong(kind: &str, text: &str) -> String {
    format!("org.freedesktop.systemd1.{kind} \"{text}\"")
}

fn aliases(tree: &Tree<'_>, unit: &Unit) -> Vec<String> {
    tree.names_of(&unit.id).split_off(1)
}

/// The units in memory that ask for this one.
fn by(tree: &Tree<'_>, loaded: &[String], unit: &Unit, key: &str) -> String {
    let asks = |other: &&String| {
        let other = tree.unit(other);
        let asked = match key {
            "RequiredBy" => tree.requires(&other),
            "WantedBy" => tree.wants(&other),
            _ => other.triggers().into_iter().collect(),
        };
        asked.iter().any(|name| tree.unit(name).id == unit.id)
    };
    let others: Vec<&str> = loaded.iter().filter(asks).map(String::as_str).collect();
    others.join(" ")
}
