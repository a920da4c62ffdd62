//! Sets of addresses, as ipset keeps them.

use std::collections::BTreeMap;

/// The most entries that are kept, over all sets.
const MAX_ENTRIES: usize = 200_000;

/// All sets, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sets(BTreeMap<String, Set>);

/// A set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    kind: String,
    /// Its options, as `ipset save` writes them.
    options: String,
    /// What is added to each.
    entries: BTreeMap<String, String>,
}

/// What ipset says of what cannot be, behind its name and version.
type Done = Result<(), String>;

const KINDS: [&str; 15] = [
    "bitmap:ip",
    "bitmap:ip,mac",
    "bitmap:port",
    "hash:ip",
    "hash:ip,mark",
    "hash:ip,port",
    "hash:ip,port,ip",
    "hash:ip,port,net",
    "hash:mac",
    "hash:net",
    "hash:net,iface",
    "hash:net,net",
    "hash:net,port",
    "hash:net,port,net",
    "list:set",
];

impl Sets {
    /// Whether there is a set of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn get(&mut self, name: &str) -> Result<&mut Set, String> {
        let missing = || "The set with the given name does not exist".to_owned();
        self.0.get_mut(name).ok_or_else(missing)
    }

    /// Carries out a command by its long name; `exist` forgives what is so already. True where it was an answer of yes.
    pub fn run(&mut self, command: &str, words: &[&str], exist: bool) -> Done {
        match (command, words) {
            ("create", [name, kind, options @ ..]) => self.create(name, kind, options, exist),
            ("add", [name, entry, more @ ..]) => self.add(name, entry, more, exist),
            ("del", [name, entry, ..]) => match self.get(name)?.entries.remove(&plain(entry)) {
                None if !exist => {
                    Err("Element cannot be deleted from the set: it's not added".into())
                }
                _ => Ok(()),
            },
            ("test", [name, entry, ..]) => {
                match self.get(name)?.entries.contains_key(&plain(entry)) {
                    true => Ok(()),
                    false => Err(format!("{entry} is NOT in set {name}.")),
                }
            }
            ("flush", []) => {
                self.0.values_mut().for_each(|set| set.entries.clear());
                Ok(())
            }
            ("flush", [name]) => {
                self.get(name)?.entries.clear();
                Ok(())
            }
            ("destroy", []) => {
                self.0.clear();
                Ok(())
            }
            ("destroy", [name]) => match (self.0.remove(*name), exist) {
                (None, false) => Err("The set with the given name does not exist".into()),
                _ => Ok(()),
            },
            ("rename", [from, to]) => {
                if self.has(to) {
                    return Err(
                        "Set cannot be renamed: a set with the new name already exists".into(),
                    );
                }
                self.get(from)?;
                if let Some(set) = self.0.remove(*from) {
                    self.0.insert((*to).to_owned(), set);
                }
                Ok(())
            }
            ("swap", [one, other]) => {
                self.get(one)?;
                self.get(other)?;
                if let (Some(first), Some(second)) = (self.0.remove(*one), self.0.remove(*other)) {
                    self.0.insert((*one).to_owned(), second);
                    self.0.insert((*other).to_owned(), first);
                }
                Ok(())
            }
            _ => Err("Missing mandatory argument".into()),
        }
    }

    fn create(&mut self, name: &str, kind: &str, options: &[&str], exist: bool) -> Done {
        let kind = match kind {
            "iphash" => "hash:ip",
            "nethash" => "hash:net",
            kind => kind,
        };
        if !KINDS.contains(&kind) {
            return Err(format!("Syntax error: unknown settype {kind}"));
        }
        if name.len() > 31 {
            return Err("Syntax error: setname is too long".into());
        }
        let set = Set {
            kind: kind.to_owned(),
            options: written(kind, options),
            entries: BTreeMap::new(),
        };
        match self.0.get(name) {
            Some(there) if exist && (&there.kind, &there.options) == (&set.kind, &set.options) => {}
            Some(_) => {
                return Err("Set cannot be created: set with the same name already exists".into());
            }
            None => drop(self.0.insert(name.to_owned(), set)),
        }
        Ok(())
    }

    fn add(&mut self, name: &str, entry: &str, more: &[&str], exist: bool) -> Done {
        let total: usize = self.0.values().map(|set| set.entries.len()).sum();
        let entries = &mut self.get(name)?.entries;
        if total >= MAX_ENTRIES {
            return Err("Hash is full, cannot add more elements".into());
        }
        let more: Vec<&str> = more
            .iter()
            .copied()
            .filter(|word| *word != "-exist")
            .collect();
        match entries.insert(plain(entry), more.join(" ")) {
            Some(old) if !exist => {
                entries.insert(plain(entry), old);
                Err("Element cannot be added to the set: it's already added".into())
            }
            _ => Ok(()),
        }
    }

    /// Carries out the lines of a file that [`Sets::save`] wrote; all of it or, up to a wrong line, nothing.
    pub fn restore(&mut self, text: &str, exist: bool) -> Result<(), (usize, String)> {
        let mut new = self.clone();
        for (at, line) in text.lines().enumerate() {
            let words = line.replace('"', "");
            let words: Vec<&str> = words.split_whitespace().collect();
            let exist = exist || words.contains(&"-exist") || words.contains(&"-!");
            let words: Vec<&str> = words
                .into_iter()
                .filter(|word| !["-exist", "-!"].contains(word))
                .collect();
            let Some((command, rest)) = words.split_first() else {
                continue;
            };
            if command.starts_with('#') || *command == "COMMIT" {
                continue;
            }
            let command = long_name(command).unwrap_or(command);
            new.run(command, rest, exist)
                .map_err(|what| (at + 1, what))?;
        }
        *self = new;
        Ok(())
    }

    /// All sets, or one, as lines for [`Sets::restore`].
    pub fn save(&self, only: Option<&str>) -> String {
        let mut out = String::new();
        for (name, set) in self
            .0
            .iter()
            .filter(|(name, _)| only.is_none_or(|only| only == *name))
        {
            out += &set.created(name);
            for entry in set.lines() {
                out += &format!("add {name} {entry}\n");
            }
        }
        out
    }

    /// All sets, or one, as `ipset list` prints them; without entries where `terse`.
    pub fn list(&self, only: Option<&str>, terse: bool) -> String {
        let wanted = self
            .0
            .iter()
            .filter(|(name, _)| only.is_none_or(|only| only == *name));
        let listed = wanted.map(|(name, set)| {
            let count = set.entries.len();
            let mut out = format!(
                "Name: {name}\nType: {}\nHeader: {}\nReferences: 0\nNumber of entries: {count}\n",
                set.kind, set.options
            );
            if !terse {
                out += "Members:\n";
                for entry in set.lines() {
                    out += &format!("{entry}\n");
                }
            }
            out
        });
        listed.collect::<Vec<_>>().join("\n")
    }

    /// Lines that do what was done since `before`, as far as it is not so in `boot` already.
    pub fn changes(&self, before: &Sets, boot: &Sets) -> String {
        let mut out = String::new();
        for (name, set) in &self.0 {
            let was = before.0.get(name);
            if was == Some(set) || boot.0.get(name) == Some(set) {
                continue;
            }
            out += &set.created(name);
            out += &format!("flush {name}\n");
            for entry in set.lines() {
                out += &format!("add {name} {entry}\n");
            }
        }
        for name in before
            .names()
            .filter(|name| !self.has(name) && boot.has(name))
        {
            out += &format!("destroy {name}\n");
        }
        out
    }
}

impl Set {
    /// Its entries with what is added to them.
    fn lines(&self) -> impl Iterator<Item = String> {
        let all = self.entries.iter();
        all.map(|(entry, more)| format!("{entry} {more}").trim_end().to_owned())
    }

    fn created(&self, name: &str) -> String {
        format!("create {name} {} {}\n", self.kind, self.options).replace(" \n", "\n")
    }
}

/// Options with those that hold by default, in ipset's own order.
fn written(kind: &str, options: &[&str]) -> String {
    let mut given: Vec<(&str, &str)> = Vec::new();
    let mut words = options.iter().copied().filter(|word| *word != "-exist");
    let flags = ["counters", "comment", "skbinfo", "forceadd"];
    let mut set = Vec::new();
    while let Some(word) = words.next() {
        match flags.contains(&word) {
            true => set.push(word),
            false => given.push((word, words.next().unwrap_or_default())),
        }
    }
    if kind.starts_with("hash:") {
        let defaults = [
            ("family", "inet"),
            ("hashsize", "1024"),
            ("maxelem", "65536"),
        ];
        for (name, value) in defaults {
            let none = kind == "hash:mac" && name == "family";
            if !none && !given.iter().any(|(other, _)| *other == name) {
                given.push((name, value));
            }
        }
    }
    let order = [
        "range", "family", "hashsize", "maxelem", "netmask", "timeout", "size",
    ];
    let place = |name: &str| {
        order
            .iter()
            .position(|one| *one == name)
            .unwrap_or(order.len())
    };
    given.sort_by_key(|(name, _)| place(name));
    let given = given.iter().map(|(name, value)| format!("{name} {value}"));
    let set = set.into_iter().map(str::to_owned);
    given.chain(set).collect::<Vec<_>>().join(" ")
}

/// An entry as ipset lists it: a single address has no mask.
fn plain(entry: &str) -> String {
    entry
        .strip_suffix("/32")
        .or_else(|| entry.strip_suffix("/128"))
        .unwrap_or(entry)
        .to_owned()
}

/// The long name of a command.
pub fn long_name(command: &str) -> Option<&'static str> {
    let names = [
        ("create", "-N"),
        ("add", "-A"),
        ("del", "-D"),
        ("test", "-T"),
        ("destroy", "-X"),
        ("list", "-L"),
        ("save", "-S"),
        ("restore", "-R"),
        ("flush", "-F"),
        ("rename", "-E"),
        ("swap", "-W"),
        ("help", "-h"),
        ("version", "-v"),
    ];
    let dashed = |name: &str| command.strip_prefix("--") == Some(name);
    let same =
        |(name, letter): &&(&str, &str)| command == *name || command == *letter || dashed(name);
    names.iter().find(same).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_restored() {
        let mut sets = Sets::default();
        sets.run("create", &["bad", "hash:net", "timeout", "60"], false)
            .unwrap();
        sets.run("add", &["bad", "10.0.0.0/8"], false).unwrap();
        sets.run("add", &["bad", "1.2.3.4/32", "timeout", "9"], false)
            .unwrap();
        let again = sets.run("add", &["bad", "1.2.3.4"], false).unwrap_err();
        assert!(again.contains("already added"), "{again}");
        sets.run("add", &["bad", "1.2.3.4"], true).unwrap();
        let saved = sets.save(None);
        let expected = "create bad hash:net family inet hashsize 1024 maxelem 65536 timeout 60\n\
                        add bad 1.2.3.4\nadd bad 10.0.0.0/8\n";
        assert_eq!(saved, expected);
        let mut other = Sets::default();
        other.restore(&saved, false).unwrap();
        assert_eq!(other, sets);
        assert_eq!(
            other
                .restore("add bad 2.2.2.2\nadd no 1.1.1.1\n", false)
                .unwrap_err()
                .0,
            2
        );
        assert_eq!(other, sets);
        assert!(sets.run("test", &["bad", "10.0.0.0/8"], false).is_ok());
    }

    #[test]
    fn changes_are_what_no_boot_loads() {
        let mut before = Sets::default();
        before.run("create", &["a", "hash:ip"], false).unwrap();
        let mut now = before.clone();
        now.run("create", &["b", "hash:ip"], false).unwrap();
        now.run("destroy", &["a"], false).unwrap();
        let lines = now.changes(&before, &before);
        assert_eq!(
            lines,
            "create b hash:ip family inet hashsize 1024 maxelem 65536\nflush b\ndestroy a\n"
        );
        assert_eq!(now.changes(&before, &now), "");
    }
}
