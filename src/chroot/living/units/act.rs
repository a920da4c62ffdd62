//! What tasks asked of units.

use super::scope::Scope;

/// Something that was asked of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The manager that was asked.
    pub scope: Scope,
    /// The unit.
    pub unit: String,
    /// What it is to do.
    pub verb: Verb,
}

/// What a unit is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Start, also once more.
    Start,
    /// Stop.
    Stop,
    /// Read its settings again, or restart, if it runs.
    Refresh,
}
