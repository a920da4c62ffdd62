//! Verbs that ask for one word.

use super::asked::Asked;
use crate::chroot::living::{call::Answer, machine::Machine, units::tree::Tree};

/// systemctl's exit code for a unit that does not run.
const NOT_RUNNING: u8 = 3;

/// `is-active`: success if any is.
pub fn is_active(asked: &Asked<'_>, machine: &Machine) -> Answer {
    let states = states(asked, machine);
    let code = if states.contains(&true) {
        0
    } else {
        NOT_RUNNING
    };
    say(asked, &states, code)
}

/// `is-failed`: none has.
pub fn is_failed(asked: &Asked<'_>, machine: &Machine) -> Answer {
    say(asked, &states(asked, machine), 1)
}

fn states(asked: &Asked<'_>, machine: &Machine) -> Vec<bool> {
    let tree = Tree::new(asked.root, asked.scope);
    let (names, _) = asked.names("service", || asked.loaded(machine, &tree));
    let state = |name: &String| {
        machine
            .units
            .state(asked.root, &tree, asked.scope, &tree.unit(name))
    };
    names.iter().map(|name| state(name).active).collect()
}

fn say(asked: &Asked<'_>, states: &[bool], code: u8) -> Answer {
    if asked.words().is_empty() && asked.options.words[0] != "is-failed" {
        return Answer::fails(1, "Too few arguments.\n");
    }
    let words = states
        .iter()
        .map(|active| if *active { "active\n" } else { "inactive\n" });
    Answer::Said {
        code,
        out: if asked.options.has("quiet") {
            Vec::new()
        } else {
            words.collect::<String>().into_bytes()
        },
        err: Vec::new(),
    }
}

/// The machine has booted, and nothing has failed.
pub fn is_system_running(asked: &Asked<'_>) -> Answer {
    Answer::out(if asked.options.has("quiet") {
        ""
    } else {
        "running\n"
    })
}
