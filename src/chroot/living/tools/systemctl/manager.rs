//! Verbs for the manager itself.

use super::asked::Asked;
use crate::{
    chroot::living::{
        accounts::Accounts,
        after_boot,
        call::Answer,
        machine::Machine,
        record::How,
        units::{scope::Scope, tree::Tree},
    },
    sys::inroot::Root,
};

/// Answers one of them.
pub fn manage(asked: &Asked<'_>, machine: &mut Machine, verb: &str) -> Answer {
    let words = asked.words();
    let may = asked.call.is_root() || *asked.scope != Scope::System;
    let denied = |what: &str| Answer::fails(1, format!("{what}: Access denied\n"));
    match verb {
        "daemon-reload" | "daemon-reexec" if !words.is_empty() => {
            Answer::fails(1, "Too many arguments.\n")
        }
        "daemon-reload" if !may => denied("Reload daemon failed"),
        "daemon-reexec" if !may => denied("Failed to reload daemon"),
        "daemon-reload" | "daemon-reexec" => {
            if *asked.scope == Scope::System {
                reload(asked.root, machine, asked.line(verb, ""));
            }
            Answer::ok()
        }
        "reset-failed" if !may => denied("Failed to execute operation"),
        "reset-failed" => reset_failed(asked, machine),
        "show-environment" => Answer::out(
            "LANG=C.UTF-8\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        ),
        // No job ever waits.
        "cancel" => Answer::ok(),
        _ if !may => denied(&format!("Failed to {verb}")),
        "log-level" if words.is_empty() => Answer::out("info\n"),
        "log-target" if words.is_empty() => Answer::out("journal-or-kmsg\n"),
        "service-watchdogs" if words.is_empty() => Answer::out("yes\n"),
        _ => {
            let line = asked.line(verb, &words.join(" "));
            machine.put_off_to_unit(&line, asked.call.line())
        }
    }
}

/// What is done when units are read again: those that packages have enabled since then have their folders.
fn reload(root: &Root, machine: &mut Machine, line: String) {
    machine.record.put_off(line, How::ByBoot);
    let tree = Tree::new(root, &Scope::System);
    let accounts = Accounts::read(root);
    for id in machine.units.active(root, &tree, &Scope::System) {
        after_boot::folders_of(root, &accounts, &Scope::System, &tree.unit(&id));
    }
}

/// Nothing has ever failed.
fn reset_failed(asked: &Asked<'_>, machine: &Machine) -> Answer {
    let tree = Tree::new(asked.root, asked.scope);
    let loaded = asked.loaded(machine, &tree);
    let (names, _) = asked.names("service", || loaded.clone());
    let unknown = names
        .iter()
        .find(|name| !loaded.contains(&tree.unit(name).id));
    match unknown {
        Some(name) => Answer::fails(
            1,
            format!("Failed to reset failed state of unit {name}: Unit {name} not loaded.\n"),
        ),
        None => Answer::ok(),
    }
}
