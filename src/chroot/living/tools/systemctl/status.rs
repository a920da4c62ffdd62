//! `systemctl status`, for people; roles look at its exit code, and for a word or two.

use super::{asked::Asked, show};
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    stamp::{ago, stamp},
    units::{
        enabled, name,
        tree::Tree,
        unit::{Load, Unit},
    },
};

/// systemctl's exit codes.
const NOT_RUNNING: u8 = 3;
const NO_SUCH_UNIT: u8 = 4;

/// Prints what there is to say about units, or about the machine.
pub fn status(asked: &Asked<'_>, machine: &mut Machine) -> Answer {
    if asked.words().is_empty() {
        return Answer::out(whole(asked, machine));
    }
    let tree = Tree::new(asked.root, asked.scope);
    let (names, mut err) = asked.names("service", || asked.loaded(machine, &tree));
    let (mut code, mut parts) = (0, Vec::new());
    for name in names {
        if name::is_template(&name) {
            let why = format!("Unit name {name} is neither a valid invocation ID nor unit name.");
            return Answer::fails(1, format!("{err}Failed to get properties: {why}\n"));
        }
        let unit = tree.unit(&name);
        if unit.load == Load::NotFound {
            err.push_str(&format!("Unit {name} could not be found.\n"));
            code = code.max(NO_SUCH_UNIT);
            continue;
        }
        let state = machine.units.state(asked.root, &tree, asked.scope, &unit);
        if !state.active {
            code = code.max(NOT_RUNNING);
        }
        parts.push(one(asked, machine, &tree, &unit));
    }
    Answer::Said {
        code,
        out: parts.join("\n").into_bytes(),
        err: err.into_bytes(),
    }
}

fn one(asked: &Asked<'_>, machine: &Machine, tree: &Tree<'_>, unit: &Unit) -> String {
    let state = machine.units.state(asked.root, tree, asked.scope, unit);
    let (active, sub) = (state.word(), state.sub);
    let sign = if state.active { '●' } else { '○' };
    let mut text = format!("{sign} {}", unit.id);
    if unit.description() != unit.id {
        text += &format!(" - {}", unit.description());
    }
    let loaded = match unit.load {
        Load::Masked => format!("masked (Reason: Unit {} is masked.)", unit.id),
        Load::Bad => format!(
            "bad-setting (Reason: Unit {} has a bad unit file setting.)",
            unit.id
        ),
        _ => match &unit.fragment {
            Some(path) => {
                let enabled = enabled::state(tree, unit);
                let preset = if enabled::is_preset(asked.root, &unit.id) {
                    "enabled"
                } else {
                    "disabled"
                };
                let shown = ["enabled", "enabled-runtime", "disabled"].contains(&enabled);
                let preset = if shown {
                    format!("; preset: {preset}")
                } else {
                    String::new()
                };
                format!("loaded ({path}; {enabled}{preset})")
            }
            None => "loaded".into(),
        },
    };
    text += &format!("\n     Loaded: {loaded}\n");
    if let Some((last, others)) = unit.drop_ins.split_last() {
        for path in others {
            text += &format!("    Drop-In: {path}\n");
        }
        text += &format!("    Drop-In: {last}\n");
    }
    let doing = if active == sub {
        String::new()
    } else {
        format!(" ({sub})")
    };
    text += &format!("     Active: {active}{doing}");
    if state.was_active {
        text += &format!(" since {}; {}", stamp(state.since), ago(state.since));
    }
    text.push('\n');
    if let Some(other) = unit.triggers() {
        let other = tree.unit(&other);
        let active = machine
            .units
            .state(asked.root, tree, asked.scope, &other)
            .active;
        text += &format!(
            "   Triggers: {} {}\n",
            if active { '●' } else { '○' },
            other.id
        );
    }
    for (at, page) in unit
        .settings
        .words("Unit", "Documentation")
        .iter()
        .enumerate()
    {
        text += &format!("{:>12} {page}\n", if at == 0 { "Docs:" } else { "" });
    }
    text
}

fn whole(asked: &Asked<'_>, machine: &mut Machine) -> String {
    let (version, _) = show::version(asked, machine);
    let tree = Tree::new(asked.root, asked.scope);
    let loaded = asked.loaded(machine, &tree).len();
    let name = asked
        .root
        .read("/etc/hostname".as_ref(), 256)
        .unwrap_or_default();
    let since = machine.units.booted;
    format!(
        "● {}\n    State: running\n    Units: {loaded} loaded (incl. loaded aliases)\n     Jobs: 0 queued\n   \
         Failed: 0 units\n    Since: {}; {}\n  systemd: {version}\n",
        name.trim(),
        stamp(since),
        ago(since)
    )
}
