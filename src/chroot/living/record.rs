//! What was put off to the first boot, in the order in which tasks asked for it.

use serde::{Deserialize, Serialize};

/// The most that are kept; a play that asks for more is told so.
pub const MAX_RECORDS: usize = 2000;

/// Something that only a running machine can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutOff {
    /// What was asked for, as people type it.
    pub what: String,
    /// The task that asked for it.
    pub task: Option<String>,
    /// How the machine gets it.
    pub how: How,
}

/// How the machine gets what was put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Every boot does it anyway, such as starting a service that is enabled.
    ByBoot,
    /// What brings it about is in the image, in this file.
    Carried(String),
    /// The unit of the first boot runs these lines of shell.
    Unit(String),
}

/// All of it.
#[derive(Debug, Default)]
pub struct Record {
    /// The task that runs now.
    pub task: Option<String>,
    put_off: Vec<PutOff>,
}

impl Record {
    /// Notes that `what` was put off, by the task that runs now. The same thing by the same task is noted once.
    pub fn put_off(&mut self, what: impl Into<String>, how: How) {
        let task = self.task.clone();
        let what = what.into();
        let new = PutOff { what, task, how };
        if self.put_off.len() < MAX_RECORDS && !self.put_off.contains(&new) {
            self.put_off.push(new);
        }
    }

    /// All of it, in order.
    pub fn all(&self) -> &[PutOff] {
        &self.put_off
    }
}
