//! The guard: the callback plugin that keeps what a playbook does to the image in the image, its rules, and
//! what it notes.
//!
//! No variable that pichroot can give is higher than all of a playbook's, and extra variables are for all hosts.
//! So the guard is put into ansible-playbook itself. It belongs to this program, so `PICHROOT_DATA_DIR` does not
//! take its place.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    json::{Vars, to_ascii},
    signs::Sign,
};
use crate::{event::NoMachine, sys::private_files::PrivateFiles};

/// The plugin. Other licences than this program's: see `ansible_plugins/`.
const PLUGIN: &str = include_str!("../../ansible_plugins/plugins/callback/pichroot.py");

/// The plugin's folder, in the run's folder.
pub const FOLDER: &str = "guard";
/// The file of its rules, in the run's folder.
pub const RULES: &str = "guard.json";
/// The environment variable that names that file.
pub const VARIABLE: &str = "PICHROOT_GUARD";

/// What the guard has to know.
#[derive(Debug, Serialize)]
pub struct Rules<'a> {
    /// The image's name in the inventory.
    pub image: &'a str,
    /// The variables that say where its tasks run.
    pub variables: Vars,
    /// The file of its connection plugin, if that is ours.
    pub plugin: Option<Cow<'a, str>>,
    /// The socket of the executor.
    pub executor: Cow<'a, str>,
    /// The user's `--limit`.
    pub limit: Option<&'a str>,
    /// Whether the user has inventories.
    pub inventories: bool,
    /// By what it sees that a task failed for what an image is.
    pub signs: &'static [Sign],
    /// Whether it notes how long tasks take, and which collections there are.
    pub account: bool,
    /// The file for its note.
    pub note: Cow<'a, str>,
}

impl Rules<'_> {
    /// Adds the plugin and the rules to `files`.
    pub fn add_to(&self, files: &mut PrivateFiles) {
        let rules = serde_json::to_value(self).expect("text is always written to memory");
        files.add(RULES, to_ascii(&rules));
        files.add(Path::new(FOLDER).join("pichroot.py"), PLUGIN);
    }
}

/// What the guard noted.
#[derive(Debug, Default, PartialEq)]
pub struct Note {
    /// Whether it was there at all: something else may have taken ansible-playbook's place.
    pub loaded: bool,
    /// Whether a task ran in the image, apart from Ansible's own gathering of facts.
    pub ran: bool,
    /// The hosts of the user's inventory, if the image is none of them.
    pub others: Option<Others>,
    /// The task that a run can go on from after one has failed.
    pub failed: Option<String>,
    /// Tasks that failed for what an image is.
    pub no_machine: Vec<NoMachine>,
    /// How long tasks took, in their order, if that was wanted.
    pub times: Vec<Time>,
    /// The versions of collections, by name, if that was wanted.
    pub collections: BTreeMap<String, String>,
}

/// How long a task took.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Time {
    /// Its name.
    pub name: String,
    /// How long, in seconds.
    pub seconds: f64,
}

/// Hosts of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// The first of them.
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Loaded,
    Ran,
    Others(Others),
    Failed(Option<String>),
    /// For the guard itself.
    Unknown(serde::de::IgnoredAny),
    NoMachine(NoMachine),
    Times(Vec<Time>),
    Collections(BTreeMap<String, String>),
}

impl Note {
    /// Reads its lines.
    pub fn read(text: &str) -> Self {
        let mut note = Note::default();
        for line in text.lines().flat_map(serde_json::from_str) {
            match line {
                Line::Loaded => note.loaded = true,
                Line::Ran => note.ran = true,
                Line::Others(others) => note.others = Some(others),
                Line::Failed(task) => note.failed = task,
                Line::Unknown(_) => {}
                Line::NoMachine(task) => note.no_machine.push(task),
                Line::Times(times) => note.times = times,
                Line::Collections(all) => note.collections = all,
            }
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Met;

    #[test]
    fn a_note_is_read_line_by_line() {
        assert_eq!(Note::read(""), Note::default());
        let text = "\"loaded\"\n{\"others\": {\"names\": [\"pi1\"], \"more\": 2}}\n\"ran\"\n\
                    {\"unknown\": [\"ansible_kernel\"]}\n{\"failed\": \"a task\"}\n\
                    {\"no_machine\": {\"task\": \"t\", \"met\": \"busy\", \"ignored\": true}}\n\
                    {\"times\": [{\"name\": \"t\", \"seconds\": 1.5}]}\n{\"collections\": {\"a.b\": \"1.0\"}}\n";
        let others = Others {
            names: vec!["pi1".into()],
            more: 2,
        };
        let note = Note {
            loaded: true,
            ran: true,
            others: Some(others),
            failed: Some("a task".into()),
            no_machine: vec![NoMachine {
                task: "t".into(),
                met: Met::Busy,
                ignored: true,
            }],
            times: vec![Time {
                name: "t".into(),
                seconds: 1.5,
            }],
            collections: BTreeMap::from([("a.b".into(), "1.0".into())]),
        };
        assert_eq!(Note::read(text), note);
    }
}
