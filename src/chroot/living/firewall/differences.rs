//! What tasks changed of tables, as commands of iptables that change other tables in the same way.

use super::iptables::{Chain, Rule, Table, Tables};

/// Lines for `iptables-restore --noflush` that do to `boot` what was done between `before` and `now`, as far as it
/// is not so already. Rules that only `boot` has stay. Empty where nothing is to be done.
pub fn lines(before: &Tables, now: &Tables, boot: &Tables) -> String {
    let mut out = String::new();
    for table in now.used() {
        let nothing = || Table {
            name: table.name,
            used: false,
            chains: Vec::new(),
        };
        let before = before.get(table.name).cloned().unwrap_or_else(nothing);
        let boot = boot.get(table.name).cloned().unwrap_or_else(nothing);
        let lines = of_table(&before, table, &boot);
        if !lines.is_empty() {
            out += &format!("*{}\n{lines}COMMIT\n", table.name);
        }
    }
    out
}

fn of_table(before: &Table, now: &Table, boot: &Table) -> String {
    let (mut heads, mut gone, mut new, mut removed) = Default::default();
    let (heads, gone, new, removed): (&mut String, &mut String, &mut String, &mut String) =
        (&mut heads, &mut gone, &mut new, &mut removed);
    let empty = Chain {
        name: String::new(),
        policy: None,
        rules: Vec::new(),
    };
    for chain in &now.chains {
        let name = &chain.name;
        let was = before.chain(name);
        let is = boot.chain(name);
        match &chain.policy {
            Some(policy) => {
                let set = was.and_then(|was| was.policy.as_ref()) != Some(policy);
                if set && is.and_then(|is| is.policy.as_ref()) != Some(policy) {
                    *heads += &format!(":{name} {policy} [0:0]\n");
                }
            }
            None if is.is_none() && was.is_none() => *heads += &format!(":{name} - [0:0]\n"),
            None => {}
        }
        if is.is_none() && was.is_some() {
            // The file that had it has it no more, and no task put anything into the kernel's.
            continue;
        }
        let (was, is) = (was.unwrap_or(&empty), is.unwrap_or(&empty));
        let (delete, insert) = of_chain(name, &was.rules, &chain.rules, &is.rules);
        *gone += &delete;
        *new += &insert;
    }
    for chain in before
        .chains
        .iter()
        .filter(|chain| now.chain(&chain.name).is_none())
    {
        if let Some(is) = boot.chain(&chain.name) {
            *removed += &format!("-F {}\n", is.name);
            *removed += &format!("-X {}\n", is.name);
        }
    }
    format!("{heads}{gone}{new}{removed}")
}

/// The rules to delete, and those to insert, at the places where they are now.
fn of_chain(name: &str, before: &[Rule], now: &[Rule], boot: &[Rule]) -> (String, String) {
    let (mut delete, mut insert) = (String::new(), String::new());
    let mut result: Vec<&Rule> = boot.iter().collect();
    for rule in without(before, now) {
        if let Some(at) = result.iter().position(|other| *other == rule) {
            result.remove(at);
            delete += &format!("-D {name}{}\n", rule.saved());
        }
    }
    let mut added = without(now, before);
    // Those that the boot loads by now are not added again.
    for rule in &result {
        if let Some(at) = added.iter().position(|other| other == rule) {
            added.remove(at);
        }
    }
    let mut place = 0;
    for rule in now {
        if let Some(at) = result[place..].iter().position(|other| *other == rule) {
            place += at + 1;
            continue;
        }
        let Some(at) = added.iter().position(|other| *other == rule) else {
            continue;
        };
        added.remove(at);
        match place == result.len() {
            true => insert += &format!("-A {name}{}\n", rule.saved()),
            false => insert += &format!("-I {name} {}{}\n", place + 1, rule.saved()),
        }
        result.insert(place, rule);
        place += 1;
    }
    (delete, insert)
}

/// The rules of `some` that are not in `others`, each as often as it is there more.
fn without<'a>(some: &'a [Rule], others: &[Rule]) -> Vec<&'a Rule> {
    let mut others: Vec<&Rule> = others.iter().collect();
    let mut left = Vec::new();
    for rule in some {
        match others.iter().position(|other| *other == rule) {
            Some(at) => drop(others.remove(at)),
            None => left.push(rule),
        }
    }
    left
}
