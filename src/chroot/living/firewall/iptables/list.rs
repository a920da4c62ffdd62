//! What `-S` and `-L` print.

use super::{
    super::names::{Family, Names},
    command::{Action, Format, Problem},
    protocol,
    rule::{Maybe, Rule},
    shown::Shown,
    tables::{Chain, Table},
};

/// The rules as commands, each behind `-A CHAIN`; all chains, or one, or one rule of it.
pub fn rules(table: &Table, action: &Action, format: Format) -> Result<String, Problem> {
    let (Action::List(chain, number) | Action::Rules(chain, number)) = action else {
        return Ok(String::new());
    };
    let counters = if format.verbose { " -c 0 0" } else { "" };
    let mut out = String::new();
    for chain in chosen(table, chain.as_deref())? {
        if number.is_none() {
            match &chain.policy {
                Some(policy) => out += &format!("-P {} {policy}{counters}\n", chain.name),
                None => out += &format!("-N {}\n", chain.name),
            }
        }
    }
    for chain in chosen(table, chain.as_deref())? {
        for rule in chosen_rules(chain, *number).map(|(_, rule)| rule) {
            let (matches, target) = (rule.saved_matches(), rule.saved_target());
            out += &format!("-A {}{matches}{counters}{target}\n", chain.name);
        }
    }
    Ok(out)
}

fn chosen<'a>(table: &'a Table, chain: Option<&str>) -> Result<Vec<&'a Chain>, Problem> {
    match chain {
        None => Ok(table.chains.iter().collect()),
        Some(name) => {
            let missing = || Problem::Said("No chain/target/match by that name.".into());
            Ok(vec![table.chain(name).ok_or_else(missing)?])
        }
    }
}

fn chosen_rules(chain: &Chain, number: Option<usize>) -> impl Iterator<Item = (usize, &Rule)> {
    let numbered = chain
        .rules
        .iter()
        .enumerate()
        .map(|(at, rule)| (at + 1, rule));
    numbered.filter(move |(at, _)| number.is_none_or(|number| number == *at))
}

/// The tables for people.
pub struct List<'a> {
    /// What is listed.
    pub table: &'a Table,
    /// How.
    pub format: Format,
    /// Names for numbers.
    pub names: &'a Names<'a>,
    /// iptables 1.8.9 shows protocols by number where others are asked for, too.
    pub protocol_numbers: bool,
}

impl List<'_> {
    /// All chains, or one, or one rule of it.
    pub fn print(&self, action: &Action) -> Result<String, Problem> {
        let (Action::List(chain, number) | Action::Rules(chain, number)) = action else {
            return Ok(String::new());
        };
        let mut out = String::new();
        for (at, chain) in chosen(self.table, chain.as_deref())?
            .into_iter()
            .enumerate()
        {
            if number.is_none() {
                if at > 0 {
                    out.push('\n');
                }
                out += &self.head(chain);
            }
            for (number, rule) in chosen_rules(chain, *number) {
                out += &self.line(number, rule);
            }
        }
        Ok(out)
    }

    fn head(&self, chain: &Chain) -> String {
        let what = match &chain.policy {
            Some(policy) if self.format.verbose => format!("policy {policy} 0 packets, 0 bytes"),
            Some(policy) => format!("policy {policy}"),
            None => format!("{} references", self.table.references(&chain.name)),
        };
        let mut out = format!("Chain {} ({what})\n", chain.name);
        if self.format.numbers {
            out += "num  ";
        }
        if self.format.verbose {
            out += " pkts bytes ";
        }
        out += "target     prot opt ";
        if self.format.verbose {
            out += "in     out     ";
        }
        out + "source               destination         \n"
    }

    fn line(&self, number: usize, rule: &Rule) -> String {
        let mut out = String::new();
        if self.format.numbers {
            out += &format!("{number:<4} ");
        }
        if self.format.verbose {
            out += "    0     0 ";
        }
        out += &format!("{:<9} ", rule.leads_to().unwrap_or_default());
        out.push(if rule.protocol.not { '!' } else { ' ' });
        out += &format!("{:<4} ", self.protocol(rule));
        out += match rule.fragment {
            None => "-- ",
            Some(true) => "-f ",
            Some(false) => "!f ",
        };
        let not = |maybe: &Maybe| if maybe.not { '!' } else { ' ' };
        if self.format.verbose {
            out += &format!(" {:<6} ", self.interface(&rule.input));
            out += &format!("{:<6} ", self.interface(&rule.output));
        }
        for address in [&rule.source, &rule.destination] {
            out.push(not(address));
            out += &format!("{:<19} ", self.address(address));
        }
        if rule.target.as_ref().is_some_and(|target| target.goto) {
            out += "[goto] ";
        }
        let shown = Shown {
            names: self.names,
            protocol: rule.protocol.sure().unwrap_or_default(),
            numeric: self.format.numeric,
        };
        for part in &rule.matches {
            out += &shown.matched(part);
        }
        if let Some(target) = rule.target.as_ref().filter(|target| !target.goto) {
            out += &shown.target(&target.part);
        }
        out + "\n"
    }

    fn protocol(&self, rule: &Rule) -> String {
        let saved = rule.protocol.value.as_str();
        let number = match saved {
            "" => Some(0),
            saved => protocol::number(saved, self.names).ok(),
        };
        match number {
            Some(number) if self.format.numeric && self.protocol_numbers => number.to_string(),
            Some(0) => "all".into(),
            _ => saved.to_owned(),
        }
    }

    fn interface(&self, maybe: &Maybe) -> String {
        match maybe.value.as_str() {
            "" if self.format.numeric => "*".into(),
            "" => "any".into(),
            name if maybe.not => format!("!{name}"),
            name => name.into(),
        }
    }

    fn address(&self, maybe: &Maybe) -> String {
        let single = |value: &str| {
            let host = value
                .strip_suffix("/32")
                .or_else(|| value.strip_suffix("/128"));
            host.unwrap_or(value).to_owned()
        };
        let any = match self.names.family {
            Family::V4 => "0.0.0.0/0",
            Family::V6 => "::/0",
        };
        match maybe.value.as_str() {
            "" if self.format.numeric => any.into(),
            "" => "anywhere".into(),
            value => single(value),
        }
    }
}
