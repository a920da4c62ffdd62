//! One thing that was looked at.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// A run works, but less well or not for every image.
    Warning,
    /// `pichroot ansible` cannot work.
    Missing,
}

impl Status {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Missing => "missing",
        }
    }
}

/// One thing that was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, which never changes.
    pub id: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found, in words.
    pub found: String,
    /// The command to run about it, where there is one.
    pub run: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(id: &'static str, found: impl Into<String>) -> Self {
        Check::new(id, Status::Ok, found)
    }

    /// It works, but.
    pub fn warning(id: &'static str, found: impl Into<String>) -> Self {
        Check::new(id, Status::Warning, found)
    }

    /// It does not.
    pub fn missing(id: &'static str, found: impl Into<String>) -> Self {
        Check::new(id, Status::Missing, found)
    }

    fn new(id: &'static str, status: Status, found: impl Into<String>) -> Self {
        Check {
            id,
            status,
            found: found.into(),
            run: None,
        }
    }

    /// Adds the command that helps, where it is known.
    pub fn run(mut self, command: impl Into<Option<String>>) -> Self {
        self.run = command.into();
        self
    }
}
