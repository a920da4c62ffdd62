//! What is outstanding when a run ends.

use super::{machine::Machine, record::PutOff};

/// All that was put off, in the tasks' order.
pub fn of(machine: &Machine) -> Vec<PutOff> {
    machine.record.all().to_vec()
}
