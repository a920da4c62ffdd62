//! What tasks changed of tables, as commands of iptables that change other tables in the same way.

use std::collections::BTreeSet;

use super::iptables::{Chain, Rule, Table, Tables};

/// Lines for `iptables-restore --noflush` that do to `boot` what was done between `before` and `now`, as far as it
/// is not so already. Rules that only `boot` has stay. Empty where nothing is to be done.
pub fn lines(before: &Tables, now: &Tables, boot: &Tables) -> String {
    let mut out = String::new();
    for table in now.all() {
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
    let [mut heads, mut gone, mut new] = [const { String::new() }; 3];
    let needed = needed(before, now, boot);
    let mut left: Vec<Rule> = Vec::new();
    for chain in &now.chains {
        let name = &chain.name;
        let is = boot.chain(name);
        // Where the file had it and has it no more, it is only made again for rules that lead there.
        let was = match before.chain(name) {
            Some(_) if is.is_none() => match needed.contains(name) {
                true => None,
                false => continue,
            },
            was => was,
        };
        match &chain.policy {
            Some(policy) => {
                let set = was.and_then(|was| was.policy.as_ref()) != Some(policy);
                if set && is.and_then(|is| is.policy.as_ref()) != Some(policy) {
                    heads += &format!(":{name} {policy} [0:0]\n");
                }
            }
            None if is.is_none() => heads += &format!(":{name} - [0:0]\n"),
            None => {}
        }
        let (was, is) = (rules(was), rules(is));
        let (delete, insert, result) = of_chain(name, was, &chain.rules, is);
        gone += &delete;
        new += &insert;
        left.extend(result);
    }
    let removed = removed(before, now, boot, left);
    format!("{heads}{gone}{new}{removed}")
}

fn rules(chain: Option<&Chain>) -> &[Rule] {
    chain
        .map(|chain| chain.rules.as_slice())
        .unwrap_or_default()
}

/// The chains that added rules lead to, and those that their rules lead to, if they are to be made with them.
fn needed(before: &Table, now: &Table, boot: &Table) -> BTreeSet<String> {
    let added = now
        .chains
        .iter()
        .flat_map(|chain| without(&chain.rules, rules(before.chain(&chain.name))));
    let mut open: Vec<String> = added
        .filter_map(|rule| rule.leads_to().map(str::to_owned))
        .collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if boot.chain(&name).is_none() {
            let more = rules(now.chain(&name)).iter().filter_map(Rule::leads_to);
            open.extend(
                more.filter(|name| !needed.contains(*name))
                    .map(str::to_owned),
            );
        }
        needed.insert(name);
    }
    needed
}

/// Commands that remove the chains that are no more, unless rules that are `left` lead there.
fn removed(before: &Table, now: &Table, boot: &Table, mut left: Vec<Rule>) -> String {
    let missing = before
        .chains
        .iter()
        .filter(|chain| now.chain(&chain.name).is_none());
    let still = missing.filter_map(|chain| boot.chain(&chain.name));
    let mut chains: Vec<&Chain> = still.collect();
    let others = boot
        .chains
        .iter()
        .filter(|chain| now.chain(&chain.name).is_none());
    let others = others.filter(|chain| chains.iter().all(|gone| gone.name != chain.name));
    left.extend(others.flat_map(|chain| chain.rules.iter().cloned()));
    let used = |name: &str, left: &[Rule]| left.iter().any(|rule| rule.leads_to() == Some(name));
    while let Some(at) = chains.iter().position(|chain| used(&chain.name, &left)) {
        left.extend(chains.remove(at).rules.iter().cloned());
    }
    // They may lead to each other.
    let lines = |letter| {
        chains
            .iter()
            .map(move |chain| format!("-{letter} {}\n", chain.name))
    };
    lines('F').chain(lines('X')).collect()
}

/// The rules to delete, those to insert at the places where they are now, and what there is then.
fn of_chain(
    name: &str,
    before: &[Rule],
    now: &[Rule],
    boot: &[Rule],
) -> (String, String, Vec<Rule>) {
    let (mut delete, mut insert) = (String::new(), String::new());
    let mut result: Vec<&Rule> = boot.iter().collect();
    let mut more = without(boot, now);
    for rule in without(before, now) {
        let Some(at) = more.iter().position(|other| *other == rule) else {
            continue;
        };
        more.remove(at);
        if let Some(at) = result.iter().position(|other| *other == rule) {
            result.remove(at);
            delete += &format!("-D {name}{}\n", rule.saved());
        }
    }
    let mut added = without(now, before);
    // Those that the boot loads by now are not added again.
    for rule in without(boot, before) {
        if let Some(at) = added.iter().position(|other| *other == rule) {
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
    if before == boot && !result.iter().copied().eq(now) {
        // The order is another one.
        let each = |letter, rules: &[Rule]| -> String {
            let lines = rules
                .iter()
                .map(|rule| format!("-{letter} {name}{}\n", rule.saved()));
            lines.collect()
        };
        return (each('D', boot), each('A', now), now.to_vec());
    }
    (delete, insert, result.into_iter().cloned().collect())
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{
        super::{
            iptables::{How, restore, save},
            names::{Family, Names},
        },
        *,
    };

    fn load(tables: &mut Tables, text: &str) {
        let names = Names::new(Family::V4, Path::new("/nowhere"), None);
        let how = How {
            keep: true,
            ..How::default()
        };
        restore(tables, text, &how, &names).unwrap_or_else(|problem| panic!("{problem:?}: {text}"));
    }

    /// A filter table of two chains that may be there, and rules that are few, so that many are the same.
    fn tables() -> impl Strategy<Value = Tables> {
        let rules = || prop::collection::vec(0..5_usize, 0..6);
        let policy = prop_oneof![Just("ACCEPT"), Just("DROP")];
        (
            any::<bool>(),
            any::<bool>(),
            policy,
            rules(),
            rules(),
            rules(),
        )
            .prop_map(|(a, b, policy, input, in_a, in_b)| {
                let there =
                    |name: &str| (name == "a" && a) || (name == "b" && b) || name == "INPUT";
                let mut text = format!("*filter\n:INPUT {policy} [0:0]\n");
                for name in ["a", "b"] {
                    if there(name) {
                        text += &format!(":{name} - [0:0]\n");
                    }
                }
                for (chain, rules) in [("INPUT", input), ("a", in_a), ("b", in_b)] {
                    for rule in rules.into_iter().filter(|_| there(chain)) {
                        let target = match rule {
                            3 if a && chain != "a" => "a",
                            4 if b && chain == "INPUT" => "b",
                            _ => "ACCEPT",
                        };
                        text += &format!("-A {chain} -s 10.0.0.{rule} -j {target}\n");
                    }
                }
                let mut tables = Tables::default();
                load(&mut tables, &(text + "COMMIT\n"));
                tables
            })
    }

    proptest! {
        #[test]
        fn they_make_of_what_a_boot_loads_what_there_is(before in tables(), now in tables()) {
            let mut boot = before.clone();
            load(&mut boot, &lines(&before, &now, &before));
            prop_assert_eq!(save(boot.used(), "x", false), save(now.used(), "x", false));
            prop_assert_eq!(lines(&before, &now, &now), "");
            prop_assert_eq!(lines(&now, &now, &before), "");
        }

        #[test]
        fn they_can_be_loaded_whatever_a_boot_loads(before in tables(), now in tables(), boot in tables()) {
            let mut made = boot.clone();
            load(&mut made, &lines(&before, &now, &boot));
            let rules = |tables: &Tables| tables.get("filter").unwrap().chain("INPUT").unwrap().rules.clone();
            // Whatever was added is there.
            for rule in without(&rules(&now), &rules(&before)) {
                prop_assert!(rules(&made).contains(rule));
            }
        }
    }
}
