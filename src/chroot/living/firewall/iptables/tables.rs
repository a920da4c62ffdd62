//! The tables of one family: chains with their rules, as the kernel keeps them.

use super::{
    command::{Action, Problem, TABLES, is_target},
    rule::Rule,
    targets,
};

/// The most rules that are kept, over all tables.
const MAX_RULES: usize = 20_000;

/// The kernel's own chains of each table.
const BUILTIN: [(&str, &[&str]); 5] = [
    (
        "mangle",
        &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    ),
    ("security", &["INPUT", "FORWARD", "OUTPUT"]),
    ("raw", &["PREROUTING", "OUTPUT"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
];

/// All tables of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    tables: Vec<Table>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whether anything was ever put into it: others are not saved.
    pub used: bool,
    /// The kernel's own chains, then all others by name.
    pub chains: Vec<Chain>,
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// What becomes of packets that no rule decides about; only the kernel's own chains have one.
    pub policy: Option<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

impl Default for Tables {
    fn default() -> Self {
        let tables = BUILTIN
            .iter()
            .map(|(name, chains)| Table::empty(name, chains));
        Tables {
            tables: tables.collect(),
        }
    }
}

impl Tables {
    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The table of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Result<&mut Table, Problem> {
        let found = self.tables.iter_mut().find(|table| table.name == name);
        found.ok_or_else(|| Problem::Table(name.to_owned()))
    }

    /// All of them, in the order in which they are saved.
    pub fn all(&self) -> impl Iterator<Item = &Table> {
        TABLES.iter().filter_map(|name| self.get(name))
    }

    /// Those that are saved.
    pub fn used(&self) -> impl Iterator<Item = &Table> {
        self.all().filter(|table| table.used)
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        let chains = self.tables.iter().flat_map(|table| &table.chains);
        chains.map(|chain| chain.rules.len()).sum()
    }

    /// Removes the chains whose names begin so, and the rules that lead there.
    pub fn forget(&mut self, prefix: &str) {
        for table in &mut self.tables {
            table.chains.retain(|chain| !chain.name.starts_with(prefix));
            for chain in &mut table.chains {
                let stays =
                    |rule: &Rule| rule.leads_to().is_none_or(|name| !name.starts_with(prefix));
                chain.rules.retain(stays);
            }
        }
    }

    /// Carries out what changes a table. What only asks is answered by whether it holds.
    pub fn apply(&mut self, table: &str, action: &Action) -> Result<(), Problem> {
        let full = self.rules() >= MAX_RULES;
        let table = self.get_mut(table)?;
        match action {
            Action::Append(..) | Action::Insert(..) if full => {
                Err(Problem::Said("Memory allocation problem.".into()))
            }
            Action::Append(chain, rules) => {
                let end = table.chain(chain).map(|chain| chain.rules.len());
                table.insert(chain, end.unwrap_or_default(), rules, "APPEND")
            }
            Action::Insert(chain, at, rules) => {
                // Each goes in front of the one before, as the program itself does it.
                let at = at - 1;
                if table.find(chain)?.rules.len() < at {
                    return Err(Problem::Said("Index of insertion too big.".into()));
                }
                let reversed: Vec<Rule> = rules.iter().rev().cloned().collect();
                table.insert(chain, at, &reversed, "INSERT")
            }
            Action::Replace(chain, at, rule) => {
                table.check_rule(chain, rule, "REPLACE")?;
                let rules = &mut table.find(chain)?.rules;
                let too_big = || Problem::Said("Index of replacement too big.".into());
                *rules.get_mut(at - 1).ok_or_else(too_big)? = Rule::clone(rule);
                Ok(())
            }
            Action::Delete(chain, rules) => {
                for rule in rules {
                    table.check_target(rule)?;
                    let found = table.find(chain)?;
                    let at = found.rules.iter().position(|other| other == rule);
                    found.rules.remove(at.ok_or_else(bad_rule)?);
                }
                Ok(())
            }
            Action::DeleteAt(chain, at) => {
                let rules = &mut table.find(chain)?.rules;
                if *at > rules.len() {
                    return Err(Problem::Said("Index of deletion too big.".into()));
                }
                rules.remove(at - 1);
                Ok(())
            }
            Action::Check(chain, rules) => {
                for rule in rules {
                    table.check_target(rule)?;
                    if !table.find(chain)?.rules.contains(rule) {
                        return Err(bad_rule());
                    }
                }
                Ok(())
            }
            Action::Flush(chain) => table.flush(chain.as_deref()),
            Action::Zero(chain) => match chain {
                Some(chain) => table.find(chain).map(drop),
                None => Ok(()),
            },
            Action::New(chain) => match table.chain(chain) {
                Some(_) => Err(Problem::Said("Chain already exists.".into())),
                None => {
                    table.add(chain);
                    Ok(())
                }
            },
            Action::Remove(chain) => table.remove(chain.as_deref()),
            Action::Rename(from, to) => {
                if table.chain(to).is_some() {
                    return Err(Problem::Said("File exists.".into()));
                }
                if table.find(from)?.policy.is_some() {
                    return Err(Problem::Said("No chain/target/match by that name.".into()));
                }
                table.rename(from, to);
                Ok(())
            }
            Action::Policy(chain, policy) => {
                let found = table
                    .chain_mut(chain)
                    .and_then(|chain| chain.policy.as_mut());
                let Some(found) = found else {
                    return Err(Problem::Said("Bad built-in chain name.".into()));
                };
                if !["ACCEPT", "DROP"].contains(&policy.as_str()) {
                    return Err(Problem::Said(
                        "Bad policy name. Run `dmesg' for more information.".into(),
                    ));
                }
                policy.clone_into(found);
                table.used = true;
                Ok(())
            }
            Action::List(..) | Action::Rules(..) => Ok(()),
        }
    }
}

fn bad_rule() -> Problem {
    Problem::Said("Bad rule (does a matching rule exist in that chain?).".into())
}

impl Table {
    fn empty(name: &'static str, chains: &[&str]) -> Self {
        let chain = |name: &&str| Chain {
            name: (*name).to_owned(),
            policy: Some("ACCEPT".into()),
            rules: Vec::new(),
        };
        Table {
            name,
            used: false,
            chains: chains.iter().map(chain).collect(),
        }
    }

    /// As it is at the start, but that it is there.
    pub fn clear(&mut self) {
        self.chains.retain(|chain| chain.policy.is_some());
        for chain in &mut self.chains {
            chain.rules.clear();
            chain.policy = Some("ACCEPT".into());
        }
        self.used = true;
    }

    /// Whether it has what the kernel begins with.
    pub fn is_as_at_start(&self) -> bool {
        let plain =
            |chain: &Chain| chain.policy.as_deref() == Some("ACCEPT") && chain.rules.is_empty();
        self.chains.iter().all(plain)
    }

    /// The chain of this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    fn chain_mut(&mut self, name: &str) -> Option<&mut Chain> {
        self.chains.iter_mut().find(|chain| chain.name == name)
    }

    /// The chain of this name, which must be there.
    pub fn find(&mut self, name: &str) -> Result<&mut Chain, Problem> {
        let missing = || Problem::Said("No chain/target/match by that name.".into());
        self.chain_mut(name).ok_or_else(missing)
    }

    /// A new chain, in the order of their names.
    pub fn add(&mut self, name: &str) {
        let later = |chain: &Chain| chain.policy.is_none() && chain.name.as_str() > name;
        let at = self
            .chains
            .iter()
            .position(later)
            .unwrap_or(self.chains.len());
        let chain = Chain {
            name: name.to_owned(),
            policy: None,
            rules: Vec::new(),
        };
        self.chains.insert(at, chain);
        self.used = true;
    }

    fn insert(
        &mut self,
        chain: &str,
        at: usize,
        rules: &[Rule],
        what: &str,
    ) -> Result<(), Problem> {
        for rule in rules {
            self.check_rule(chain, rule, what)?;
        }
        let place = &mut self.find(chain)?.rules;
        place.splice(at..at, rules.iter().cloned());
        self.used = true;
        Ok(())
    }

    /// Whether the kernel would take the rule.
    fn check_rule(&mut self, chain: &str, rule: &Rule, what: &str) -> Result<(), Problem> {
        self.check_target(rule)?;
        let table = self.name;
        let builtin = self.find(chain)?.policy.is_some();
        let fits = |target: &str| targets::belongs(target, table, chain, builtin);
        let refused = || {
            Problem::Kernel(format!(
                " RULE_{what} failed (Invalid argument): rule in chain {chain}"
            ))
        };
        // Who has sent a packet is known of those that leave.
        let late = !builtin || ["OUTPUT", "POSTROUTING"].contains(&chain);
        let late = late || rule.matches.iter().all(|part| part.name != "owner");
        match late && rule.leads_to().is_none_or(fits) {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    /// Whether there is what the rule leads to.
    fn check_target(&self, rule: &Rule) -> Result<(), Problem> {
        let Some(target) = &rule.target else {
            return Ok(());
        };
        let name = target.part.name.as_str();
        let chain = self.chain(name).is_some_and(|chain| chain.policy.is_none());
        let other = !target.goto && (is_target(name) || !target.part.options.is_empty());
        match chain || other {
            true => Ok(()),
            false => Err(Problem::Words(format!("Chain '{name}' does not exist"))),
        }
    }

    fn flush(&mut self, chain: Option<&str>) -> Result<(), Problem> {
        match chain {
            Some(chain) => self.find(chain)?.rules.clear(),
            None => self.chains.iter_mut().for_each(|chain| chain.rules.clear()),
        }
        Ok(())
    }

    /// How many rules lead to a chain.
    pub fn references(&self, name: &str) -> usize {
        let rules = self.chains.iter().flat_map(|chain| &chain.rules);
        rules.filter(|rule| rule.leads_to() == Some(name)).count()
    }

    fn remove(&mut self, chain: Option<&str>) -> Result<(), Problem> {
        let busy = |name: &str| {
            Problem::Kernel(format!(
                " CHAIN_DEL failed (Device or resource busy): chain {name}"
            ))
        };
        let names: Vec<String> = match chain {
            Some(name) => vec![self.find(name)?.name.clone()],
            None => {
                let others = self.chains.iter().filter(|chain| chain.policy.is_none());
                others.map(|chain| chain.name.clone()).collect()
            }
        };
        for name in &names {
            let chain = self.find(name)?;
            if chain.policy.is_some() || !chain.rules.is_empty() || self.references(name) > 0 {
                return Err(busy(name));
            }
        }
        self.chains.retain(|chain| !names.contains(&chain.name));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) {
        let rules = match self.chains.iter().position(|chain| chain.name == from) {
            Some(at) => self.chains.remove(at).rules,
            None => return,
        };
        self.add(to);
        if let Some(chain) = self.chain_mut(to) {
            chain.rules = rules;
        }
        for rule in self.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            if let Some(target) = rule
                .target
                .as_mut()
                .filter(|target| target.part.name == from)
            {
                to.clone_into(&mut target.part.name);
            }
        }
    }
}
