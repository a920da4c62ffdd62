//! /proc/sys: every value that the image's kernel has.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
};

use nix::{errno::Errno, sys::utsname::uname, unistd::sethostname};

use super::{
    assigned::{self, Assignments},
    table,
    value::Value,
};
use crate::hex::hex;

/// A folder that is there and empty: what runs the image's programs has its own file system in it.
pub const EMPTY: &str = "fs/binfmt_misc";
/// What systems come with, as opposed to what people set.
const VENDOR: &str = "/usr/lib/";

/// What is true of the kernel that programs run on now, whatever they will run on later: what they may ask of it.
const RUNNING: [&str; 4] = [
    "fs/nr_open",
    "kernel/cap_last_cap",
    "kernel/ngroups_max",
    // qemu itself asks.
    "vm/mmap_min_addr",
];

/// The name of the machine.
pub const HOSTNAME: &str = "kernel/hostname";
const RELEASE: &str = "kernel/osrelease";
const VERSION: &str = "kernel/version";
const UUID: &str = "kernel/random/uuid";

/// What else changes with a value.
enum Tie {
    /// These become the same; `*` is any part of a path.
    Same(&'static str),
    /// The other way to say it is not used any more.
    Zero(&'static str),
}

const TIED: [(&str, Tie); 13] = [
    (
        "net/ipv4/ip_forward",
        Tie::Same("net/ipv4/conf/*/forwarding"),
    ),
    (
        "net/ipv4/conf/all/forwarding",
        Tie::Same("net/ipv4/ip_forward"),
    ),
    (
        "net/ipv4/conf/all/forwarding",
        Tie::Same("net/ipv4/conf/*/forwarding"),
    ),
    (
        "net/ipv6/conf/all/forwarding",
        Tie::Same("net/ipv6/conf/*/forwarding"),
    ),
    (
        "net/ipv6/conf/all/disable_ipv6",
        Tie::Same("net/ipv6/conf/*/disable_ipv6"),
    ),
    (
        "net/nf_conntrack_max",
        Tie::Same("net/netfilter/nf_conntrack_max"),
    ),
    (
        "net/netfilter/nf_conntrack_max",
        Tie::Same("net/nf_conntrack_max"),
    ),
    ("vm/dirty_bytes", Tie::Zero("vm/dirty_ratio")),
    ("vm/dirty_ratio", Tie::Zero("vm/dirty_bytes")),
    (
        "vm/dirty_background_bytes",
        Tie::Zero("vm/dirty_background_ratio"),
    ),
    (
        "vm/dirty_background_ratio",
        Tie::Zero("vm/dirty_background_bytes"),
    ),
    ("vm/overcommit_kbytes", Tie::Zero("vm/overcommit_ratio")),
    ("vm/overcommit_ratio", Tie::Zero("vm/overcommit_kbytes")),
];

/// All of it.
#[derive(Debug)]
pub struct Sysctl {
    values: BTreeMap<String, Value>,
    random: Option<File>,
    /// The kernel's release; none if it is the running one's.
    release: Option<String>,
    written: Vec<Written>,
    /// What is true of the running kernel: see [`RUNNING`].
    running: [Option<String>; RUNNING.len()],
}

/// Something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The path below /proc/sys.
    pub path: String,
    /// By this task.
    pub task: Option<String>,
}

/// The most that is noted until it is asked for; what is written beyond that is refused.
const MAX_WRITTEN: usize = 100_000;

impl Sysctl {
    /// What a kernel of this release has at its start, before any file was read.
    pub fn new(release: Option<&str>) -> Self {
        let mut new = Sysctl {
            values: BTreeMap::new(),
            // Opened once: later the image may have put something else there.
            random: File::open("/dev/urandom").ok(),
            release: release.map(str::to_owned),
            written: Vec::new(),
            running: RUNNING.map(|path| fs::read_to_string(format!("/proc/sys/{path}")).ok()),
        };
        new.start();
        new
    }

    /// All is as it is at its start.
    pub fn start(&mut self) {
        let lines = table::lines(self.release.as_deref());
        self.values = lines
            .map(|line| (line.path.to_owned(), line.into()))
            .collect();
        for (path, running) in RUNNING.iter().zip(&self.running) {
            if let (Some(text), Some(value)) = (running, self.values.get_mut(*path)) {
                value.now = Some(text.trim_end().to_owned());
                value.first.clone_from(&value.now);
            }
        }
    }

    /// Sets what the image's files set at a boot. What its system sets without a doubt, its kernel has.
    pub fn boot(&mut self, files: &Assignments) {
        let vendor = files.named().filter(|(path, assigned)| {
            !assigned.optional && assigned.file.starts_with(VENDOR) && is_usual(path)
        });
        for (path, assigned) in vendor {
            let new = || Value::of_image(&assigned.value);
            self.values.entry(path.clone()).or_insert_with(new);
        }
        self.apply(files, "");
    }

    /// Sets what these files set, of what begins so.
    pub fn apply(&mut self, files: &Assignments, prefix: &str) {
        let paths = self.values.keys().filter(|path| path.starts_with(prefix));
        for path in paths.cloned().collect::<Vec<_>>() {
            if let Some(assigned) = files.of(&path)
                && let Ok(taken) = self.values[&path].taken(assigned.value.as_bytes())
            {
                self.set(&path, taken);
            }
        }
    }

    /// Adds what there is while this module is loaded.
    pub fn add_module(&mut self, name: &str) {
        let lines = table::of_module(name).map(|line| (line.path.to_owned(), line.into()));
        self.values.extend(lines);
    }

    /// Takes that away.
    pub fn remove_module(&mut self, name: &str) {
        table::of_module(name).for_each(|line| drop(self.values.remove(line.path)));
    }

    /// What there is at this path.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.values.get(path)
    }

    /// What is in this folder: names, and of files their permissions; none if there is no such folder.
    pub fn names(&self, folder: &str) -> Option<BTreeMap<String, Option<u16>>> {
        let prefix = match folder {
            "" => String::new(),
            _ => format!("{folder}/"),
        };
        let mut names = BTreeMap::new();
        let paths = self.values.range(prefix.clone()..);
        for (path, value) in paths.take_while(|(path, _)| path.starts_with(&prefix)) {
            match path[prefix.len()..].split_once('/') {
                Some((name, _)) => names.insert(name.to_owned(), None),
                None => names.insert(path[prefix.len()..].to_owned(), Some(value.mode)),
            };
        }
        if folder == "fs" {
            names.insert("binfmt_misc".to_owned(), None);
        }
        (!names.is_empty() || folder == EMPTY).then_some(names)
    }

    /// Whether there is such a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let mut after = self.values.range(prefix.clone()..);
        path.is_empty()
            || path == EMPTY
            || after
                .next()
                .is_some_and(|(first, _)| first.starts_with(&prefix))
    }

    /// What is read at this path.
    ///
    /// # Errors
    /// As the kernel's.
    pub fn read(&self, path: &str) -> Result<String, Errno> {
        let value = self.values.get(path).ok_or(Errno::ENOENT)?;
        let text = match path {
            HOSTNAME => uname()?.nodename().to_string_lossy().into_owned(),
            VERSION => uname()?.version().to_string_lossy().into_owned(),
            RELEASE => match &self.release {
                Some(release) => release.clone(),
                None => uname()?.release().to_string_lossy().into_owned(),
            },
            UUID => self
                .random
                .as_ref()
                .and_then(|random| uuid(random).ok())
                .ok_or(Errno::EIO)?,
            _ => value.now.clone().ok_or(Errno::EIO)?,
        };
        Ok(text + "\n")
    }

    /// Writes to this path, for the task that runs now.
    ///
    /// # Errors
    /// As the kernel's.
    pub fn write(&mut self, path: &str, text: &[u8], task: Option<String>) -> Result<(), Errno> {
        let value = self.values.get(path).ok_or(Errno::ENOENT)?;
        let taken = value.taken(text)?;
        if self.written.len() >= MAX_WRITTEN {
            return Err(Errno::ENOSPC);
        }
        let changes =
            value.is_action() || self.read(path).ok().as_deref() != Some(&format!("{taken}\n"));
        if path == HOSTNAME {
            // Of the chroot's own UTS namespace.
            sethostname(&taken)?;
        }
        self.set(path, taken);
        if changes {
            let path = path.to_owned();
            self.written.push(Written { path, task });
        }
        Ok(())
    }

    fn set(&mut self, path: &str, taken: String) {
        for (_, tie) in TIED.iter().filter(|(tied, _)| *tied == path) {
            match tie {
                Tie::Same(others) => {
                    let all = self.values.iter_mut();
                    all.filter(|(other, _)| assigned::matches(others, other))
                        .for_each(|(_, value)| value.now = Some(taken.clone()));
                }
                Tie::Zero(other) => {
                    if taken != "0"
                        && let Some(other) = self.values.get_mut(*other)
                    {
                        other.now = Some("0".to_owned());
                    }
                }
            }
        }
        if let Some(value) = self.values.get_mut(path)
            && !value.is_action()
        {
            value.now = Some(taken);
        }
    }

    /// The command that writes what this path has now, as people type it.
    pub fn command(&self, path: &str) -> Option<String> {
        let name = assigned::name_of(path);
        match self.get(path)?.is_action() {
            true => Some(format!("sysctl -w {name}")),
            false => {
                let value = self.read(path).ok()?;
                let value = value.trim_end().replace('\t', " ");
                Some(format!("sysctl -w {name}={value}"))
            }
        }
    }

    /// What was written since this was last asked, in order.
    pub fn take_written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.written)
    }
}

/// Whether it can be a path below /proc/sys.
fn is_usual(path: &str) -> bool {
    let usual = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 64;
    path.split('/').all(usual) && path.split('/').count() <= 8
}

/// A new random UUID, as the kernel makes them.
fn uuid(mut random: &File) -> io::Result<String> {
    let mut bytes = [0; 16];
    random.read_exact(&mut bytes)?;
    // Version 4: random (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}
