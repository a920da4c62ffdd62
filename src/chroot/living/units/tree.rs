//! The units of one manager, and what starts what.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use super::{
    condition,
    folders::{Folders, Found},
    generated::{self, Generated},
    name::{self, Kind},
    scope::Scope,
    settings::Settings,
    unit::{Load, Unit},
};
use crate::sys::inroot::Root;

/// A boot starts at most so many units; a desktop's starts 300.
const MAX_UNITS: usize = 5000;

/// What there is without any file.
const ALWAYS: [&str; 4] = ["-.mount", "-.slice", "system.slice", "init.scope"];

/// All of one manager, as they are at this moment.
#[derive(Debug)]
pub struct Tree<'a> {
    /// Their files.
    pub folders: Folders<'a>,
    root: &'a Root,
    is_system: bool,
    fstab: Vec<Generated>,
    scripts: BTreeMap<String, Generated>,
    units: RefCell<BTreeMap<String, Rc<Unit>>>,
    booted: RefCell<Option<Rc<BTreeSet<String>>>>,
}

impl<'a> Tree<'a> {
    /// Lists the files of the image at `root`.
    pub fn new(root: &'a Root, scope: &Scope) -> Self {
        let folders = Folders::list(root, scope);
        let is_system = *scope == Scope::System;
        let (mut fstab, mut scripts) = (Vec::new(), BTreeMap::new());
        if is_system {
            fstab = generated::of_fstab(root);
            for name in generated::scripts(root) {
                if let (_, Found::Nothing) = folders.find(&name) {
                    let script = generated::of_script(root, &name);
                    scripts.extend(script.map(|script| (name, script)));
                }
            }
        }
        Tree {
            folders,
            root,
            is_system,
            fstab,
            scripts,
            units: RefCell::default(),
            booted: RefCell::default(),
        }
    }

    /// The unit that has this name, or that it is an alias of.
    pub fn unit(&self, name: &str) -> Rc<Unit> {
        if let Some(unit) = self.units.borrow().get(name) {
            return Rc::clone(unit);
        }
        let (id, found) = self.folders.find(name);
        let unit = Rc::new(self.read(id, found));
        let mut units = self.units.borrow_mut();
        if units.len() < 2 * MAX_UNITS {
            units.insert(name.to_owned(), Rc::clone(&unit));
        }
        unit
    }

    fn read(&self, id: String, found: Found) -> Unit {
        let mut unit = Unit {
            kind: Kind::of(&id).unwrap_or(Kind::Service),
            id,
            load: Load::Loaded,
            fragment: None,
            source: None,
            drop_ins: Vec::new(),
            settings: Settings::default(),
        };
        match found {
            Found::Masked(path) => {
                unit.fragment = Some(path);
                unit.load = Load::Masked;
                return unit;
            }
            Found::File(path) => {
                let text = self.folders.text(&path);
                unit.fragment = Some(path);
                // As good as a link to nothing.
                if text.is_empty() {
                    unit.load = Load::Masked;
                    return unit;
                }
                unit.settings.add(&text);
            }
            Found::Nothing => match self.generated(&unit.id) {
                Some(made) => {
                    unit.settings = made.settings.clone();
                    unit.source = Some(made.source.clone());
                    let late = if made.source.starts_with("/etc/init.d/") {
                        ".late"
                    } else {
                        ""
                    };
                    unit.fragment = Some(format!("/run/systemd/generator{late}/{}", unit.id));
                }
                None if self.is_system && ALWAYS.contains(&&*unit.id)
                    || unit.kind == Kind::Slice => {}
                None => {
                    unit.load = Load::NotFound;
                    return unit;
                }
            },
        }
        for path in self.drop_ins(&unit) {
            let text = self.folders.text(&path);
            if !text.is_empty() {
                unit.settings.add(&text);
                unit.drop_ins.push(path);
            }
        }
        if unit.source.is_none() && unit.fragment.is_some() && !unit.is_sound() {
            unit.load = Load::Bad;
        }
        unit
    }

    fn generated(&self, id: &str) -> Option<&Generated> {
        let mounted = self.fstab.iter().find(|made| made.name == id);
        mounted.or_else(|| self.scripts.get(id))
    }

    /// The files that are dropped in beside a unit, in the order in which they count.
    fn drop_ins(&self, unit: &Unit) -> Vec<String> {
        let mut files = BTreeMap::new();
        for name in self.names_of(&unit.id) {
            for folder in folders_beside(&name) {
                for (file, path) in self.folders.beside(&format!("{folder}.d")) {
                    if file.ends_with(".conf") {
                        files.entry(file).or_insert(path);
                    }
                }
            }
        }
        for (file, path) in self.folders.beside(&format!("{}.d", unit.kind.suffix())) {
            if file.ends_with(".conf") {
                files.entry(file).or_insert(path);
            }
        }
        files.into_values().collect()
    }

    /// Its name and its aliases.
    pub fn names_of(&self, id: &str) -> Vec<String> {
        let aliases = self.folders.aliases(id).iter().cloned();
        std::iter::once(id.to_owned()).chain(aliases).collect()
    }

    /// The units that `unit` asks for in one of these ways, and those in folders beside it.
    fn asks(&self, unit: &Unit, ways: &[(&str, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        for (key, folder) in ways {
            asked.extend(unit.units(key));
            if folder.is_empty() {
                continue;
            }
            let mut names = self.names_of(&unit.id);
            names.extend(name::template(&unit.id).map(|(template, _)| template));
            for name in names {
                let links = self.folders.beside(&format!("{name}.{folder}")).into_keys();
                asked.extend(links.filter(|link| name::is_valid(link)));
            }
        }
        asked
    }

    /// Those that it cannot start without.
    pub fn requires(&self, unit: &Unit) -> Vec<String> {
        let mut required = self.asks(unit, &[("Requires", "requires"), ("BindsTo", "")]);
        required.extend(self.by_default(unit));
        required.extend(self.of_generated(&unit.id, true));
        required
    }

    /// Those that are to be started with it.
    pub fn wants(&self, unit: &Unit) -> Vec<String> {
        let mut wanted = self.asks(unit, &[("Wants", "wants"), ("Upholds", "upholds")]);
        wanted.extend(self.of_generated(&unit.id, false));
        wanted
    }

    fn of_generated(&self, target: &str, needed: bool) -> Vec<String> {
        let all = self.fstab.iter().chain(self.scripts.values());
        let pulled = all.filter(|made| made.pulled == Some((target, needed)));
        pulled.map(|made| made.name.clone()).collect()
    }

    /// What units of its kind need without saying so.
    fn by_default(&self, unit: &Unit) -> Vec<String> {
        let kinds = [Kind::Service, Kind::Socket, Kind::Timer, Kind::Path];
        if !kinds.contains(&unit.kind) || !unit.general("DefaultDependencies", true) {
            return Vec::new();
        }
        let first = if self.is_system {
            "sysinit.target"
        } else {
            "basic.target"
        };
        let mut needed = vec![first.to_owned()];
        if self.is_system && unit.kind == Kind::Service {
            needed.push(unit.own("Slice").unwrap_or("system.slice").to_owned());
        }
        needed
    }

    /// All that is started with `name`, by their real names, itself included.
    pub fn started_with(&self, name: &str) -> BTreeSet<String> {
        let mut started = BTreeSet::new();
        let mut waiting = VecDeque::from([name.to_owned()]);
        while let Some(name) = waiting.pop_front() {
            let unit = self.unit(&name);
            let starts = unit.load == Load::Loaded && !name::is_template(&unit.id);
            if started.len() < MAX_UNITS
                && starts
                && condition::are_met(self.root, &unit)
                && started.insert(unit.id.clone())
            {
                waiting.extend(self.requires(&unit));
                waiting.extend(self.wants(&unit));
            }
        }
        started
    }

    /// All that a boot starts.
    pub fn boot(&self) -> Rc<BTreeSet<String>> {
        if let Some(booted) = &*self.booted.borrow() {
            return Rc::clone(booted);
        }
        let mut started = self.started_with("default.target");
        if self.is_system {
            started.extend(ALWAYS.map(str::to_owned));
            // Nearly every program uses the bus, and its socket starts it.
            for bus in ["dbus.service", "dbus-broker.service"] {
                if started.contains("dbus.socket") && self.unit("dbus.service").id == bus {
                    started.insert(bus.to_owned());
                }
            }
        }
        let started = Rc::new(started);
        *self.booted.borrow_mut() = Some(Rc::clone(&started));
        started
    }

    /// All that the manager has in memory once it has started `ids`: what they name, and so on.
    pub fn loaded_with(&self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        const NAMED: [&str; 9] = [
            "After",
            "Before",
            "Conflicts",
            "OnFailure",
            "OnSuccess",
            "PartOf",
            "PropagatesReloadTo",
            "Requisite",
            "ReloadPropagatedFrom",
        ];
        let mut loaded = BTreeSet::new();
        let mut waiting: VecDeque<String> = ids.iter().cloned().collect();
        while let Some(name) = waiting.pop_front() {
            let unit = self.unit(&name);
            if loaded.len() >= MAX_UNITS
                || name::is_template(&name)
                || !loaded.insert(unit.id.clone())
            {
                continue;
            }
            if unit.load == Load::Loaded {
                waiting.extend(self.requires(&unit));
                waiting.extend(self.wants(&unit));
                waiting.extend(unit.triggers());
                for key in NAMED {
                    waiting.extend(unit.units(key));
                }
            }
        }
        loaded
    }

    /// Whether its conditions are met.
    pub fn conditions_are_met(&self, unit: &Unit) -> bool {
        condition::are_met(self.root, unit)
    }
}

/// The names that a unit's drop-ins may be beside: its own, its template's, and those that begin like it up to a `-`.
fn folders_beside(name: &str) -> Vec<String> {
    let mut folders = vec![name.to_owned()];
    let template = name::template(name).filter(|(_, instance)| !instance.is_empty());
    folders.extend(template.map(|(template, _)| template));
    let Some((stem, suffix)) = name.rsplit_once('.') else {
        return folders;
    };
    let stem = stem.split('@').next().unwrap_or(stem);
    let dashes = stem.rmatch_indices('-').map(|(at, _)| &stem[..=at]);
    folders.extend(
        dashes
            .filter(|begin| *begin != stem)
            .map(|begin| format!("{begin}.{suffix}")),
    );
    folders
}
