//! ipset, answered from the [model](super::super::firewall::ipset).

use super::super::{
    call::{Answer, Call},
    firewall::{
        Kind,
        ipset::long_name,
        names::{Family, read},
    },
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("ipset", ipset)];

fn ipset(call: &Call, machine: &mut Machine) -> Answer {
    let mut exist = false;
    let (mut names, mut terse, mut quiet, mut file) = (false, false, false, None);
    let mut words: Vec<&str> = Vec::new();
    let mut given = call.args.iter().map(String::as_str);
    while let Some(word) = given.next() {
        match word {
            "-exist" | "-!" | "--exist" => exist = true,
            "-name" | "-n" | "--name" => names = true,
            "-terse" | "-t" | "--terse" => terse = true,
            "-quiet" | "-q" | "--quiet" => quiet = true,
            "-sorted" | "-s" | "-resolve" | "-r" => {}
            "-file" | "-f" | "--file" => file = given.next(),
            "-output" | "-o" | "--output" => terse |= given.next() == Some("terse"),
            word => words.push(word),
        }
    }
    let Some((command, words)) = words.split_first() else {
        return Answer::Pass;
    };
    let Some(command) = long_name(command) else {
        return Answer::Pass;
    };
    if command == "help" || command == "version" {
        return Answer::Pass;
    }
    let fails = |what: &str| match quiet {
        true => Answer::fails(1, ""),
        false => Answer::fails(1, format!("ipset v7: {what}\n")),
    };
    if !call.is_root() {
        return fails("Kernel error received: Operation not permitted");
    }
    let root = machine.root.clone();
    let only = words.first().copied();
    let sets = machine.firewall.sets(&root);
    if let ("list" | "save", Some(name)) = (command, only)
        && !sets.has(name)
    {
        return fails("The set with the given name does not exist");
    }
    let before = sets.clone();
    let done = match command {
        "list" if names => {
            return Answer::out(
                sets.names()
                    .map(|name| format!("{name}\n"))
                    .collect::<String>(),
            );
        }
        "list" => return Answer::out(sets.list(only, terse)),
        "save" => {
            let saved = sets.save(only);
            return match file {
                None => Answer::out(saved),
                Some(file) => {
                    match std::fs::write(machine.at(&call.cwd.join(file).to_string_lossy()), saved)
                    {
                        Ok(()) => Answer::ok(),
                        Err(error) => fails(&format!("Cannot open {file} for writing: {error}")),
                    }
                }
            };
        }
        "restore" => {
            let text = match (file, &call.stdin) {
                (Some(file), _) => read(&machine.at(&call.cwd.join(file).to_string_lossy())),
                (None, Some(text)) => Some(String::from_utf8_lossy(text).into_owned()),
                (None, None) => return Answer::NeedsInput,
            };
            let Some(text) = text else {
                return fails("Cannot open the file for reading: No such file or directory");
            };
            let sets = machine.firewall.sets(&root);
            let restored = sets.restore(&text, exist);
            restored.map_err(|(line, what)| format!("Error in line {line}: {what}"))
        }
        "destroy" if in_use(machine, only) => {
            Err("Set cannot be destroyed: it is in use by a kernel component".into())
        }
        command => machine.firewall.sets(&root).run(command, words, exist),
    };
    if before != *machine.firewall.sets(&root) {
        machine.firewall.changed(Kind::Sets, call, &machine.record);
    }
    match (done, command) {
        (Ok(()), "test") if !quiet => {
            let said = format!("{} is in set {}.\n", words[1], words[0]);
            Answer::Said {
                code: 0,
                out: Vec::new(),
                err: said.into_bytes(),
            }
        }
        (Ok(()), _) => Answer::ok(),
        (Err(what), "test") if what.contains("is NOT in set") && !quiet => {
            Answer::fails(1, what + "\n")
        }
        (Err(what), _) => fails(&what),
    }
}

/// Whether a rule names the set, or any of them.
fn in_use(machine: &mut Machine, name: Option<&str>) -> bool {
    let root = machine.root.clone();
    [Family::V4, Family::V6].into_iter().any(|family| {
        let tables = machine.firewall.tables(family, &root);
        let chains = tables.used().flat_map(|table| &table.chains);
        let mut rules = chains
            .flat_map(|chain| &chain.rules)
            .map(|rule| rule.saved());
        rules.any(|rule| match name {
            Some(name) => rule.contains(&format!("-set {name} ")),
            None => rule.contains("-set "),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{call::tests::call, firewall::settle::settle, record::How},
        *,
    };

    fn run(machine: &mut Machine, line: &str) -> (u8, String) {
        match ipset(&call(line), machine) {
            Answer::Said { code, out, err } => {
                (code, String::from_utf8([out, err].concat()).unwrap())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn sets_are_made_before_the_rules_that_name_them() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(root.path(), true);
        assert_eq!(run(&mut machine, "ipset create bad hash:net").0, 0);
        assert_eq!(run(&mut machine, "ipset create bad hash:net").0, 1);
        assert_eq!(run(&mut machine, "ipset -exist create bad hash:net").0, 0);
        assert_eq!(run(&mut machine, "ipset add bad 10.0.0.0/8").0, 0);
        assert_eq!(
            run(&mut machine, "ipset test bad 10.0.0.0/8"),
            (0, "10.0.0.0/8 is in set bad.\n".into())
        );
        assert_eq!(run(&mut machine, "ipset list -n"), (0, "bad\n".into()));
        let rule = call("iptables -A INPUT -m set --match-set bad src -j DROP");
        let (_, iptables) = super::super::iptables::TOOLS
            .iter()
            .find(|(name, _)| *name == "iptables")
            .unwrap();
        assert_eq!(iptables(&rule, &mut machine), Answer::ok());
        assert!(run(&mut machine, "ipset destroy bad").1.contains("in use"));
        settle(&mut machine);
        let units: Vec<&str> = machine
            .record
            .all()
            .iter()
            .filter_map(|step| match &step.how {
                How::Unit(lines) if !lines.is_empty() => lines.lines().next(),
                _ => None,
            })
            .collect();
        assert_eq!(
            units,
            [
                "ipset restore -exist <<'PICHROOT_RULES'",
                "iptables-restore --noflush <<'PICHROOT_RULES'"
            ]
        );
    }
}
