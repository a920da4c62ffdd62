//! The machine's firewall, as tasks ask for it and have changed it.
//!
//! Emulated programs reach no netfilter, and the kernel's own belongs to the build machine. So the rules are kept
//! here, beginning with those that the machine loads at boot ([`boot`]), and [`iptables`] answers from them. When the run ends, [`settle`]
//! finds what no boot loads: it goes into the file of the distribution that does, or into the unit of the first boot.

pub mod boot;
mod differences;
pub mod ipset;
pub mod iptables;
pub mod names;
pub mod nft;
pub mod settle;
mod steps;
mod text;

use std::path::Path;

use self::{
    ipset::Sets,
    iptables::Tables,
    names::{Family, Names},
    nft::ruleset::Ruleset,
};
use super::{call::Call, record::Record};

/// The most commands that are remembered to be told.
const MAX_ASKED: usize = 500;

/// Rules of every kind.
#[derive(Debug, Default)]
pub struct Firewall {
    v4: Option<Kept<Tables>>,
    v6: Option<Kept<Tables>>,
    nft: Option<Kept<Ruleset>>,
    sets: Option<Kept<Sets>>,
    /// What iptables calls itself.
    version: Option<String>,
    asked: Vec<Asked>,
}

/// Something that boots load and tasks change.
#[derive(Debug)]
struct Kept<T> {
    /// As a boot had loaded it when it was first looked at.
    before: T,
    /// As it is.
    now: T,
}

impl<T: Clone> Kept<T> {
    fn new(before: T) -> Self {
        let now = before.clone();
        Kept { before, now }
    }
}

/// Who changed rules.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    kind: Kind,
    what: String,
    task: Option<String>,
    /// How many commands more.
    more: usize,
}

/// What is kept apart from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tables of iptables and ip6tables.
    Iptables,
    /// Tables of nft.
    Nft,
    /// Sets of addresses.
    Sets,
}

impl Firewall {
    /// The tables of a family. At first they are what a boot loads.
    pub fn tables(&mut self, family: Family, root: &Path) -> &mut Tables {
        let rules = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        let load = || Kept::new(boot::tables(&Names::new(family, root, None), root));
        &mut rules.get_or_insert_with(load).now
    }

    /// The tables of nft. At first they are what a boot loads.
    pub fn nft(&mut self, root: &Path) -> &mut Ruleset {
        let load = || Kept::new(boot::ruleset(root));
        &mut self.nft.get_or_insert_with(load).now
    }

    /// The sets of addresses. At first they are what a boot loads.
    pub fn sets(&mut self, root: &Path) -> &mut Sets {
        let load = || Kept::new(boot::sets(root));
        &mut self.sets.get_or_insert_with(load).now
    }

    /// A unit of the machine was started again: what it loads at boot is loaded now.
    pub fn started(&mut self, unit: &str, root: &Path) {
        match unit.strip_suffix(".service").unwrap_or(unit) {
            "netfilter-persistent" | "ufw" | "iptables" | "ip6tables" => {
                for family in [Family::V4, Family::V6] {
                    *self.tables(family, root) =
                        boot::tables(&Names::new(family, root, None), root);
                }
            }
            "nftables" => *self.nft(root) = boot::ruleset(root),
            _ => {}
        }
    }

    /// What the image's iptables calls itself, as `v1.8.9 (nf_tables)`.
    pub fn version(&mut self, call: &Call) -> String {
        let ask = || {
            let said = call.real(&call.program.to_string_lossy(), &["-V"]).ok()?;
            let said = [said.stdout, said.stderr].concat();
            // Without netfilter it says no more than that it cannot begin, but says so as what.
            let said = String::from_utf8(said).ok()?.replacen('/', " v", 1);
            let (_, version) = said.trim_end().split_once(' ')?;
            let version = version.split(" Failed").next()?;
            version.starts_with('v').then(|| version.to_owned())
        };
        // As Debian 12 has it.
        let usual = || "v1.8.9 (nf_tables)".into();
        let version = self
            .version
            .get_or_insert_with(|| ask().unwrap_or_else(usual));
        version.clone()
    }

    /// Remembers that rules were changed, to be told when the run ends. A task is told once, by its first command.
    pub fn changed(&mut self, kind: Kind, call: &Call, record: &Record) {
        let task = record.task.clone();
        let same = |asked: &&mut Asked| asked.task == task && task.is_some() && asked.kind == kind;
        if let Some(last) = self.asked.last_mut().filter(same) {
            last.more += 1;
            return;
        }
        if self.asked.len() < MAX_ASKED {
            let (what, more) = (call.line(), 0);
            let asked = Asked {
                kind,
                what,
                task,
                more,
            };
            self.asked.push(asked);
        }
    }
}
