//! What of the kernel tasks have changed, and how the machine gets it. That is judged at the end, as a task may well write the
//! file for a boot after it has changed what runs.

use std::cell::OnceCell;

use super::{
    assigned::{self, Assignments},
    modules, persistent,
    sysctl::{self, Sysctl},
};
use crate::{
    chroot::living::{
        call::quoted,
        record::How,
        units::{boots, name::escape_path, scope::Scope, tree::Tree},
    },
    disk::fstab::{self, Entry},
    sys::inroot::Root,
};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A value was written below /proc/sys, at this path.
    Value(String),
    /// A module was loaded, with these parameters.
    Module {
        /// Its name.
        name: String,
        /// Its parameters.
        parameters: Vec<String>,
        /// What loads it.
        line: String,
    },
    /// A module was to go.
    NoModule {
        /// Its name.
        name: String,
        /// What removes it.
        line: String,
    },
    /// Something was mounted at this path.
    Mount {
        /// The path.
        at: String,
        /// What mounts it.
        line: String,
    },
    /// What a boot mounts at this path was to go.
    NoMount {
        /// The path.
        at: String,
        /// What unmounts it.
        line: String,
    },
    /// What is mounted at this path was to have these options.
    Options {
        /// The path.
        at: String,
        /// The options.
        options: Vec<String>,
        /// What sets them.
        line: String,
    },
    /// This swap space was to be used.
    Swap {
        /// Its path.
        path: String,
        /// What has it used.
        line: String,
    },
    /// It was not to be used any more.
    NoSwap {
        /// Its path.
        path: String,
        /// What has it not used.
        line: String,
    },
}

const FSTAB: &str = "/etc/fstab";
const HOSTNAME: &str = "/etc/hostname";

/// The files of the image that say what a boot does, as they are at this moment.
#[derive(Debug)]
pub struct Files<'a> {
    root: &'a Root,
    values: Assignments,
    modules: Vec<(String, String)>,
    fstab: Vec<Entry>,
    units: OnceCell<Tree<'a>>,
}

impl<'a> Files<'a> {
    /// Those of the image at `root`.
    pub fn read(root: &'a Root) -> Self {
        let text = root.read(FSTAB.as_ref(), fstab::MAX_BYTES as u64);
        Files {
            root,
            values: assigned::read(root),
            modules: modules::at_boot(root),
            fstab: fstab::parse(&text.unwrap_or_default()),
            units: OnceCell::new(),
        }
    }

    /// The file that says that a boot mounts something at this path.
    pub fn mounts(&self, at: &str) -> Option<String> {
        let entry = self.mounted(at).map(|_| FSTAB.to_owned());
        entry.or_else(|| self.unit(at, "mount"))
    }

    /// The last entry of fstab for it counts.
    fn mounted(&self, at: &str) -> Option<&Entry> {
        let mut entries = self.fstab.iter().rev();
        let automatic = |entry: &Entry| entry.fstype != "swap" && !entry.has_option("noauto");
        entries
            .find(|entry| entry.file == at)
            .filter(|entry| automatic(entry))
    }

    /// The file that says that a boot uses this swap space.
    fn swaps(&self, path: &str) -> Option<String> {
        let mut entries = self.fstab.iter();
        let used = |entry: &&Entry| {
            entry.source == path && entry.fstype == "swap" && !entry.has_option("noauto")
        };
        let entry = entries.find(used).map(|_| FSTAB.to_owned());
        entry.or_else(|| self.unit(path, "swap"))
    }

    /// The file of a unit that a boot starts.
    fn unit(&self, path: &str, kind: &str) -> Option<String> {
        let tree = self
            .units
            .get_or_init(|| Tree::new(self.root, &Scope::System));
        let unit = tree.unit(&format!("{}.{kind}", escape_path(path)));
        unit.fragment
            .clone()
            .filter(|_| boots(self.root, tree, &Scope::System, &unit.id))
    }
}

impl Subject {
    /// What it is about: a later change of the same takes its place.
    pub fn about(&self) -> (u8, &str) {
        match self {
            Subject::Value(path) => (0, path),
            Subject::Module { name, .. } | Subject::NoModule { name, .. } => (1, name),
            Subject::Mount { at, .. } | Subject::NoMount { at, .. } => (2, at),
            Subject::Options { at, .. } => (3, at),
            Subject::Swap { path, .. } | Subject::NoSwap { path, .. } => (4, path),
        }
    }

    /// Whether a boot undoes it, but for what files say.
    pub fn ends_with_a_boot(&self) -> bool {
        !matches!(self.about().0, 2 | 3)
    }

    /// How the machine gets it; none if it has it anyway.
    pub fn how(&self, files: &Files<'_>, sysctl: &Sysctl) -> Option<How> {
        let fstab = || How::Carried(FSTAB.to_owned());
        let carried = match self {
            Subject::Value(path) => return value(path, files, sysctl),
            Subject::Module {
                name, parameters, ..
            } => {
                let mut loaded = files.modules.iter();
                let file = loaded
                    .find(|(other, _)| other == name)
                    .map(|(_, file)| file.clone());
                file.filter(|_| persistent::has_parameters(files.root, name, parameters))
                    .map(How::Carried)
            }
            Subject::NoModule { name, .. } => {
                let loaded = files.modules.iter().any(|(other, _)| other == name);
                let kept_out = persistent::kept_out(files.root, name);
                kept_out.filter(|_| !loaded).map(How::Carried)
            }
            Subject::Mount { at, .. } => files.mounts(at).map(How::Carried),
            Subject::NoMount { at, .. } => files.mounts(at).is_none().then(fstab),
            Subject::Options { at, options, .. } => {
                let entry = files.mounted(at);
                entry
                    .filter(|entry| options.iter().all(|option| is_set(entry, option)))
                    .map(|_| fstab())
            }
            Subject::Swap { path, .. } => files.swaps(path).map(How::Carried),
            Subject::NoSwap { path, .. } => files.swaps(path).is_none().then(fstab),
        };
        Some(carried.unwrap_or_else(|| How::Unit(self.line().to_owned())))
    }

    /// What the unit is to run for it, but for a value.
    pub fn line(&self) -> &str {
        match self {
            Subject::Value(_) => "",
            Subject::Module { line, .. }
            | Subject::NoModule { line, .. }
            | Subject::Mount { line, .. }
            | Subject::NoMount { line, .. }
            | Subject::Options { line, .. }
            | Subject::Swap { line, .. }
            | Subject::NoSwap { line, .. } => line,
        }
    }
}

/// Whether this entry of fstab has an option, or does without its opposite.
fn is_set(entry: &Entry, option: &str) -> bool {
    let opposites = [
        ("rw", "ro"),
        ("exec", "noexec"),
        ("suid", "nosuid"),
        ("dev", "nodev"),
    ];
    let opposite = opposites.iter().find(|(name, _)| *name == option);
    entry.has_option(option) || opposite.is_some_and(|(_, other)| !entry.has_option(other))
}

fn value(path: &str, files: &Files<'_>, sysctl: &Sysctl) -> Option<How> {
    let value = sysctl.get(path)?;
    if value.is_action() {
        return Some(How::ByBoot);
    }
    let now = sysctl.read(path).ok()?;
    let now = now.trim_end_matches('\n');
    if path == sysctl::HOSTNAME {
        let file = files.root.read(HOSTNAME.as_ref(), 256).unwrap_or_default();
        if file.trim() == now {
            return Some(How::Carried(HOSTNAME.to_owned()));
        }
    }
    match files.values.of(path) {
        Some(assigned) if value.taken(assigned.value.as_bytes()).as_deref() == Ok(now) => {
            Some(How::Carried(assigned.file.clone()))
        }
        None if value.first.as_deref() == Some(now) => None,
        _ => Some(How::Unit(format!(
            "printf '%s\\n' {} >/proc/sys/{}",
            quoted(now),
            quoted(path)
        ))),
    }
}
