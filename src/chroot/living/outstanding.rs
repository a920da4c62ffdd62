//! What is outstanding when a run ends.

use super::{firewall::settle::settle, machine::Machine, record::Record, units::end};

/// Takes all that was put off, in the tasks' order. The parts of the machine that know only at the end what becomes of
/// something note it now.
pub fn take(machine: &mut Machine) -> Record {
    let acts = end::judged(&machine.root, machine.record.acts());
    let mut hows: Vec<_> = acts
        .into_iter()
        .map(|(place, how)| (place, Some(how)))
        .collect();
    hows.extend(machine.judged_changes());
    machine.record.settle(hows);
    settle(machine);
    std::mem::take(&mut machine.record)
}
