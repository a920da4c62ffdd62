//! The plays of the new playbook.

use std::path::PathBuf;

use serde_yaml::{Mapping, Value as Yaml};

/// A play of the new playbook.
#[derive(Debug, PartialEq)]
pub enum Play {
    /// Tasks for the image, none of which needs Python in it but for copying.
    Tasks(Vec<Mapping>),
    /// Somebody's playbook.
    Import(String),
}

/// The plays, and the files that they need.
#[derive(Debug, Default)]
pub struct Plays {
    /// In the order of the template.
    pub plays: Vec<Play>,
    /// Files by their name in the folder.
    pub files: Vec<(PathBuf, String)>,
}

impl Plays {
    /// Adds a task to the play of the tasks before it.
    pub fn task(&mut self, name: String, parts: impl IntoIterator<Item = (String, Yaml)>) {
        let mut task = Mapping::from_iter([(Yaml::from("name"), Yaml::from(name))]);
        task.extend(
            parts
                .into_iter()
                .map(|(key, value)| (Yaml::from(key), value)),
        );
        match self.plays.last_mut() {
            Some(Play::Tasks(tasks)) => tasks.push(task),
            _ => self.plays.push(Play::Tasks(vec![task])),
        }
    }
}
