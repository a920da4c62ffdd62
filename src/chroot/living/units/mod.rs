//! The units of the machine that the image becomes: after a boot, and as tasks have started and stopped them since.
//!
//! A [`tree::Tree`] is what their files say at this moment. What a boot would start is active; [`Units`] has what differs from
//! that.

pub mod act;
mod condition;
pub mod enabled;
pub mod end;
pub mod folders;
mod generated;
pub mod name;
pub mod scope;
mod settings;
pub mod tree;
pub mod unit;

use std::{
    collections::{BTreeSet, HashMap},
    time::SystemTime,
};

use self::{
    name::Kind,
    scope::Scope,
    tree::Tree,
    unit::{Load, Unit},
};
use crate::sys::inroot::Root;

/// What tasks have done to units.
#[derive(Debug)]
pub struct Units {
    /// When the machine has booted, as tasks see it.
    pub booted: SystemTime,
    /// What `systemctl --version` says, once somebody has asked.
    pub version: Option<String>,
    changed: HashMap<(Option<u32>, String), Change>,
}

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether it runs.
    pub active: bool,
    /// systemd's word for what it does.
    pub sub: &'static str,
    /// Since when.
    pub since: SystemTime,
    /// Whether it ever was active since the boot.
    pub was_active: bool,
}

/// What became of a unit.
#[derive(Debug, Clone, Copy)]
struct Change {
    active: bool,
    at: SystemTime,
    was_active: bool,
}

impl State {
    /// systemd's word for whether it runs.
    pub fn word(self) -> &'static str {
        if self.active { "active" } else { "inactive" }
    }
}

impl Default for Units {
    fn default() -> Self {
        Units {
            booted: SystemTime::now(),
            version: None,
            changed: HashMap::new(),
        }
    }
}

/// A user's folder with a file for each who lingers.
pub const LINGER: &str = "/var/lib/systemd/linger";

/// Whether the manager runs without anybody being logged in.
pub fn runs(root: &Root, scope: &Scope) -> bool {
    match scope {
        Scope::System => true,
        Scope::User(user) => root.is_file(format!("{LINGER}/{}", user.name).as_ref()),
    }
}

/// Whether a boot starts the unit.
pub fn boots(root: &Root, tree: &Tree<'_>, scope: &Scope, id: &str) -> bool {
    runs(root, scope) && tree.boot().contains(id)
}

fn key(scope: &Scope, id: &str) -> (Option<u32>, String) {
    let uid = match scope {
        Scope::System => None,
        Scope::User(user) => Some(user.uid),
    };
    (uid, id.to_owned())
}

impl Units {
    /// What `unit` does now.
    pub fn state(&self, root: &Root, tree: &Tree<'_>, scope: &Scope, unit: &Unit) -> State {
        let change = self
            .changed
            .get(&key(scope, &unit.id))
            .copied()
            .unwrap_or_else(|| {
                let active = boots(root, tree, scope, &unit.id);
                Change {
                    active,
                    at: self.booted,
                    was_active: active,
                }
            });
        // Whoever has removed a unit's file has stopped it first.
        let active = change.active && unit.load != Load::NotFound && unit.stays();
        let sub = match unit.triggers() {
            _ if !active => "dead",
            Some(service) if unit.kind == Kind::Socket => {
                let service = tree.unit(&service);
                if self.state(root, tree, scope, &service).active {
                    "running"
                } else {
                    "listening"
                }
            }
            _ => unit.active_word(),
        };
        State {
            active,
            sub,
            since: change.at,
            was_active: change.was_active,
        }
    }

    /// All that is active.
    pub fn active(&self, root: &Root, tree: &Tree<'_>, scope: &Scope) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self.ids(scope).collect();
        if runs(root, scope) {
            ids.extend(tree.boot().iter().cloned());
        }
        ids.retain(|id| self.state(root, tree, scope, &tree.unit(id)).active);
        ids
    }

    /// All that tasks have started or stopped.
    pub fn ids(&self, scope: &Scope) -> impl Iterator<Item = String> {
        let (uid, _) = key(scope, "");
        let mine = self.changed.keys().filter(move |(of, _)| *of == uid);
        mine.map(|(_, id)| id.clone())
    }

    /// Starts a unit with all that it needs; returns what was not active before.
    pub fn start(&mut self, root: &Root, tree: &Tree<'_>, scope: &Scope, id: &str) -> Vec<String> {
        let mut started = Vec::new();
        for id in tree.started_with(id) {
            let active = self.state(root, tree, scope, &tree.unit(&id)).active;
            if !active {
                self.set(scope, &id, true);
                started.push(id);
            }
        }
        started
    }

    /// Stops a unit, and all that cannot be without it.
    pub fn stop(&mut self, root: &Root, tree: &Tree<'_>, scope: &Scope, id: &str) {
        let mut stopping = vec![id.to_owned()];
        let active = self.active(root, tree, scope);
        let mut at = 0;
        while let Some(id) = stopping.get(at).cloned() {
            self.set(scope, &id, false);
            for other in &active {
                let unit = tree.unit(other);
                let needs = tree.requires(&unit).into_iter().chain(unit.units("PartOf"));
                if !stopping.contains(other)
                    && needs.map(|name| tree.unit(&name)).any(|n| n.id == id)
                {
                    stopping.push(other.clone());
                }
            }
            at += 1;
        }
    }

    fn set(&mut self, scope: &Scope, id: &str, active: bool) {
        let change = Change {
            active,
            at: SystemTime::now(),
            was_active: true,
        };
        self.changed.insert(key(scope, id), change);
    }

    /// What boot starts is active again, and nothing else.
    pub fn reboot(&mut self) {
        self.booted = SystemTime::now();
        self.changed.clear();
    }

    /// What was active `before` files were changed still is, and nothing more: to enable a unit does not start it.
    pub fn keep(
        &mut self,
        root: &Root,
        after: &Tree<'_>,
        scope: &Scope,
        before: &BTreeSet<String>,
    ) {
        let now = self.active(root, after, scope);
        for id in before.symmetric_difference(&now) {
            let active = before.contains(id);
            let change = Change {
                active,
                at: self.booted,
                was_active: active,
            };
            self.changed.insert(key(scope, id), change);
        }
    }
}
