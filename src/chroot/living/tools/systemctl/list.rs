//! Verbs that list units.

use std::{cmp::Ordering, rc::Rc};

use serde_json::{Map, Value};

use super::asked::Asked;
use crate::chroot::living::{
    call::Answer,
    machine::Machine,
    units::{
        State,
        name::{self, Kind},
        tree::Tree,
        unit::{Load, Unit},
    },
};

const LEGEND: &str = "LOAD   = Reflects whether the unit definition was properly loaded.\n\
                      ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n\
                      SUB    = The low-level unit activation state, values depend on unit type.\n";

/// A line for each unit, with a sign before those that people should look at.
#[derive(Debug)]
struct Row {
    sign: bool,
    cells: Vec<String>,
}

/// Whether the list is to have a heading and an end.
fn has_legend(asked: &Asked<'_>) -> bool {
    let no = ["no", "false", "0", "off"];
    !asked.options.has("no-legend")
        && !asked
            .options
            .value("legend")
            .is_some_and(|value| no.contains(&value))
}

/// As systemctl sorts: by kind, then by name.
fn order(one: &str, other: &str) -> Ordering {
    let key = |id: &str| (Kind::of(id).map(Kind::place), id.to_lowercase());
    key(one).cmp(&key(other))
}

/// All units in memory that the options and words let through.
fn chosen(asked: &Asked<'_>, machine: &Machine, tree: &Tree<'_>) -> Vec<(Rc<Unit>, State)> {
    let options = asked.options;
    let (types, states) = (options.list("type"), options.list("state"));
    let mut ids = asked.loaded(machine, tree);
    ids.sort_by(|one, other| order(one, other));
    let fits = |unit: &Unit, state: State| {
        let words = [state.word(), state.sub, unit.load.word()];
        let kind = types.is_empty()
            || [unit.kind.suffix(), words[2]]
                .iter()
                .any(|word| types.contains(word));
        let shown = match states.is_empty() {
            true => state.active || options.has("all") || types.contains(&words[2]),
            false => words.iter().any(|word| states.contains(word)),
        };
        let mut named = asked
            .words()
            .iter()
            .map(|word| match name::is_pattern(word) {
                true => name::matches(word, &unit.id),
                false => tree.unit(&name::from_word(word, "service").0).id == unit.id,
            });
        // Nothing ever fails.
        let failed = options.has("failed");
        kind && shown && !failed && (asked.words().is_empty() || named.any(|is| is))
    };
    let units = ids.into_iter().map(|id| {
        let unit = tree.unit(&id);
        let state = machine.units.state(asked.root, tree, asked.scope, &unit);
        (unit, state)
    });
    units.filter(|(unit, state)| fits(unit, *state)).collect()
}

/// `list-units`.
pub fn units(asked: &Asked<'_>, machine: &Machine) -> Answer {
    let tree = Tree::new(asked.root, asked.scope);
    let rows = chosen(asked, machine, &tree);
    let rows: Vec<Row> = rows
        .iter()
        .map(|(unit, state)| {
            let description = unit.description();
            let cells = [
                &*unit.id,
                unit.load.word(),
                state.word(),
                state.sub,
                &description,
            ];
            Row {
                sign: unit.load != Load::Loaded,
                cells: cells.map(str::to_owned).into(),
            }
        })
        .collect();
    let header = ["UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION"];
    let states = asked.options.list("state");
    let mut end = match rows.is_empty() {
        true => String::new(),
        false => format!("\n{LEGEND}"),
    };
    end += &format!("{} loaded units listed.", rows.len());
    let hint = "To show all installed unit files use 'systemctl list-unit-files'.\n";
    end += &match states.is_empty() && !asked.options.has("failed") {
        _ if asked.options.has("all") || states.contains(&"inactive") => format!("\n{hint}"),
        true => format!(" Pass --all to see loaded but inactive units, too.\n{hint}"),
        false => "\n".into(),
    };
    table(asked, &header, &rows, !asked.options.has("plain"), &end)
}

/// `list-timers`: when one is due next, only a running machine knows.
pub fn timers(asked: &Asked<'_>, machine: &Machine) -> Answer {
    let rows = triggering(asked, machine, Kind::Timer, |_, triggers| {
        vec![
            ["-", "-", "-", "-"]
                .map(str::to_owned)
                .into_iter()
                .chain(triggers)
                .collect(),
        ]
    });
    let header = ["NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES"];
    let hint = "Pass --all to see loaded but inactive timers, too.\n";
    let hint = if asked.options.has("all") { "" } else { hint };
    table(
        asked,
        &header,
        &rows,
        false,
        &format!("\n{} timers listed.\n{hint}", rows.len()),
    )
}

/// `list-sockets`.
pub fn sockets(asked: &Asked<'_>, machine: &Machine) -> Answer {
    let rows = triggering(asked, machine, Kind::Socket, |unit, triggers| {
        let keys = unit.settings.keys("Socket").into_iter();
        let listening = keys.filter(|key| key.starts_with("Listen"));
        let listening = listening.flat_map(|key| unit.settings.all("Socket", key));
        listening
            .map(|at| {
                std::iter::once(unit.expanded(at))
                    .chain(triggers.clone())
                    .collect()
            })
            .collect()
    });
    let header = ["LISTEN", "UNIT", "ACTIVATES"];
    let hint = "Pass --all to see loaded but inactive sockets, too.\n";
    let hint = if asked.options.has("all") { "" } else { hint };
    table(
        asked,
        &header,
        &rows,
        false,
        &format!("\n{} sockets listed.\n{hint}", rows.len()),
    )
}

/// Rows for units of one kind: `cells` gets the unit's name and that of what it starts.
fn triggering(
    asked: &Asked<'_>,
    machine: &Machine,
    kind: Kind,
    cells: impl Fn(&Unit, [String; 2]) -> Vec<Vec<String>>,
) -> Vec<Row> {
    let tree = Tree::new(asked.root, asked.scope);
    let units = chosen(asked, machine, &tree);
    let units = units.iter().filter(|(unit, _)| unit.kind == kind);
    units
        .flat_map(|(unit, _)| {
            let triggers = [unit.id.clone(), unit.triggers().unwrap_or_default()];
            cells(unit, triggers)
        })
        .map(|cells| Row { sign: false, cells })
        .collect()
}

/// `list-jobs`: whatever was asked for is done.
pub fn jobs(asked: &Asked<'_>) -> Answer {
    Answer::out(if has_legend(asked) {
        "No jobs running.\n"
    } else {
        ""
    })
}

/// A table as systemctl prints it, or as JSON; `signs` has a column before the others.
fn table(asked: &Asked<'_>, header: &[&str], rows: &[Row], signs: bool, end: &str) -> Answer {
    if asked
        .options
        .value("output")
        .is_some_and(|form| form.starts_with("json"))
    {
        let objects = rows.iter().map(|row| {
            let pairs = header.iter().zip(&row.cells);
            let object: Map<_, _> = pairs
                .map(|(key, value)| (key.to_lowercase(), Value::from(&**value)))
                .collect();
            Value::from(object)
        });
        return Answer::out(format!("{}\n", Value::from(objects.collect::<Vec<_>>())));
    }
    let legend = has_legend(asked);
    let titles = Row {
        sign: false,
        cells: header.iter().map(|&title| title.to_owned()).collect(),
    };
    let lines: Vec<&Row> = legend.then_some(&titles).into_iter().chain(rows).collect();
    let width = |at: usize| {
        lines
            .iter()
            .map(|row| row.cells[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for row in &lines {
        if signs {
            text += if row.sign { "● " } else { "  " };
        }
        let last = row.cells.len() - 1;
        for (at, cell) in row.cells.iter().enumerate() {
            if at == last {
                text += cell;
            } else {
                text += &format!("{cell:<0$} ", widths[at]);
            }
        }
        text.push('\n');
    }
    if legend {
        text += end;
    }
    Answer::out(text)
}
