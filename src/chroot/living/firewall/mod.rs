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

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use self::{
    ipset::Sets,
    iptables::Tables,
    names::{Family, Names},
    nft::ruleset::{Ruleset, Style},
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
    /// All rules as they were when they were last changed, in one number.
    state: u64,
}

/// Something that boots load and tasks change.
#[derive(Debug, Default)]
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
    /// All rules before, in one number.
    before: u64,
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
        if self.v4.is_none() || self.v6.is_none() {
            let load = |family| Kept::new(boot::tables(&Names::new(family, root, None), root));
            (self.v4, self.v6) = (Some(load(Family::V4)), Some(load(Family::V6)));
            self.state = self.state();
        }
        let rules = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        &mut rules.get_or_insert_default().now
    }

    /// The tables of nft. At first they are what a boot loads.
    pub fn nft(&mut self, root: &Path) -> &mut Ruleset {
        if self.nft.is_none() {
            self.nft = Some(Kept::new(boot::ruleset(root)));
            self.state = self.state();
        }
        &mut self.nft.get_or_insert_default().now
    }

    /// The sets of addresses. At first they are what a boot loads.
    pub fn sets(&mut self, root: &Path) -> &mut Sets {
        if self.sets.is_none() {
            self.sets = Some(Kept::new(boot::sets(root)));
            self.state = self.state();
        }
        &mut self.sets.get_or_insert_default().now
    }

    /// A unit of the machine was started again: what it loads at boot is loaded now.
    pub fn started(&mut self, unit: &str, root: &Path) {
        let unit = unit.strip_suffix(".service").unwrap_or(unit);
        let load = match unit {
            "netfilter-persistent" | "iptables" | "ip6tables" => boot::load_file,
            "ufw" => boot::load_ufw,
            "nftables" => return boot::load_nft(self.nft(root), root),
            _ => return,
        };
        for family in [Family::V4, Family::V6] {
            load(
                self.tables(family, root),
                &Names::new(family, root, None),
                root,
            );
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

    /// Remembers that rules were changed, to be told when the run ends. A task is told once, by its first command, and
    /// not at all if it left all as it was.
    pub fn changed(&mut self, kind: Kind, call: &Call, record: &Record) {
        let task = record.task.clone();
        let now = self.state();
        let before = std::mem::replace(&mut self.state, now);
        let what = match is_of_ufw(call) {
            true => "ufw".to_owned(),
            false => call.line(),
        };
        let same = |asked: &&mut Asked| asked.task == task && asked.kind == kind;
        if let Some(last) = self.asked.last_mut().filter(same)
            && (task.is_some() || last.what == what)
        {
            // What ufw asks for is ufw's, all of it.
            last.more += usize::from(last.what != what && last.what != "ufw");
            return;
        }
        self.forget_vain(before);
        if self.asked.len() < MAX_ASKED {
            self.asked.push(Asked {
                kind,
                what,
                task,
                more: 0,
                before,
            });
        }
    }

    /// Forgets the last who changed rules, if all was as before when they had done so.
    fn forget_vain(&mut self, now: u64) {
        self.asked.pop_if(|last| last.before == now);
    }

    /// All rules in one number.
    fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for tables in [&self.v4, &self.v6] {
            // Those that nobody has looked at are as those that are empty.
            let all = tables.iter().flat_map(|tables| tables.now.all());
            for table in all.filter(|table| !table.is_as_at_start()) {
                iptables::save(std::iter::once(table), "", false).hash(&mut hasher);
            }
            0.hash(&mut hasher);
        }
        if let Some(rules) = &self.nft {
            rules.now.print(Style::default()).hash(&mut hasher);
        }
        if let Some(sets) = &self.sets {
            sets.now.save(None).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// ufw is a script that asks iptables very often; people have asked ufw.
fn is_of_ufw(call: &Call) -> bool {
    let ours = |word: &str| word.starts_with("ufw-") || word.starts_with("ufw6-");
    let input = call.stdin.as_deref().map(String::from_utf8_lossy);
    call.name() == "ufw"
        || call.args.iter().any(|word| ours(word))
        || input.is_some_and(|text| text.split([' ', ':', '\n']).any(ours))
}
