//! One start of systemctl.

use crate::{
    chroot::living::{
        call::Call,
        machine::Machine,
        tools::options::Options,
        units::{name, scope::Scope, tree::Tree},
    },
    sys::inroot::Root,
};

/// One start of it.
#[derive(Debug)]
pub struct Asked<'a> {
    pub call: &'a Call,
    pub options: &'a Options,
    pub root: &'a Root,
    pub scope: &'a Scope,
}

impl Asked<'_> {
    /// The words after the verb.
    pub fn words(&self) -> &[String] {
        self.options.words.get(1..).unwrap_or_default()
    }

    /// The units that the words mean, and warnings. Patterns stand for those of `loaded`.
    pub fn names(&self, suffix: &str, loaded: impl Fn() -> Vec<String>) -> (Vec<String>, String) {
        let (mut names, mut warnings) = (Vec::new(), String::new());
        for word in self.words() {
            if name::is_pattern(word) {
                names.extend(
                    loaded()
                        .into_iter()
                        .filter(|name| name::matches(word, name)),
                );
            } else {
                let (name, warning) = name::from_word(word, suffix);
                names.push(name);
                warnings.extend(warning);
            }
        }
        (names, warnings)
    }

    /// What was asked for, as people type it.
    pub fn line(&self, verb: &str, words: &str) -> String {
        let user = if *self.scope == Scope::System {
            ""
        } else {
            "--user "
        };
        let line = format!("systemctl {user}{verb} {words}");
        line.trim_end().to_owned()
    }

    /// All units that the manager has in memory.
    pub fn loaded(&self, machine: &Machine, tree: &Tree<'_>) -> Vec<String> {
        let active = machine.units.active(self.root, tree, self.scope);
        let mut loaded = tree.loaded_with(&active);
        loaded.extend(machine.units.ids(self.scope));
        loaded.into_iter().collect()
    }
}
