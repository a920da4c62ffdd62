//! What is outstanding when a run ends.

use super::{machine::Machine, record::Record};

/// Takes all that was put off, in the tasks' order. The parts of the machine that know only at the end what becomes of
/// something note it now.
pub fn take(machine: &mut Machine) -> Record {
    std::mem::take(&mut machine.record)
}
