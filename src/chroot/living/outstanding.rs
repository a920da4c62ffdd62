//! What is outstanding when a run ends.

use super::{machine::Machine, record::Record, units::end};

/// Takes all that was put off, in the tasks' order. The parts of the machine that know only at the end what becomes of
/// something note it now.
pub fn take(machine: &mut Machine) -> Record {
    let hows = end::judged(&machine.root, machine.record.acts());
    machine.record.settle(hows);
    std::mem::take(&mut machine.record)
}
