//! nft, answered from the [model](super::super::firewall::nft).

use std::path::Path;

use super::super::{
    call::{Answer, Call},
    firewall::{
        Kind,
        iptables::Tables,
        names::{Family, read},
        nft::{
            self, Outcome, Wrong,
            ruleset::{Ruleset, Style},
        },
    },
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("nft", nft)];

/// What the options say.
#[derive(Default)]
struct Options {
    style: Style,
    check: bool,
    json: bool,
    file: Option<String>,
    /// `define` for each of -D.
    defines: String,
    words: Vec<String>,
}

fn nft(call: &Call, machine: &mut Machine) -> Answer {
    let options = match options(call) {
        Ok(options) => options,
        Err(answer) => return answer,
    };
    if !call.is_root() {
        let told = "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: \
                    Operation not permitted\n";
        return Answer::fails(1, told);
    }
    let root = machine.root.clone();
    let (name, text) = match options.file.as_deref() {
        None => (None, options.words.join(" ")),
        Some("-" | "/dev/stdin") => match &call.stdin {
            None => return Answer::NeedsInput,
            Some(text) => (
                Some("/dev/stdin"),
                String::from_utf8_lossy(text).into_owned(),
            ),
        },
        Some(file) => match read(&machine.at(&call.cwd.join(file).to_string_lossy())) {
            Some(text) => (Some(file), text),
            None => {
                let told = format!(
                    "internal:0:0-0: Error: Could not open file \"{file}\": No such file or directory\n\n"
                );
                return Answer::fails(1, told);
            }
        },
    };
    if options.json && text.trim_start().starts_with('{') {
        let hint = "write it in nft's own language: nft -f prints what JSON means there with `nft list ruleset`";
        return Answer::refused("rules in JSON cannot be kept for the machine", hint);
    }
    let rules = machine.firewall.nft(&root);
    let before = rules.clone();
    let ran = match nft::run(rules, &options.defines, &root, Path::new("/etc")) {
        Ok(_) => nft::run(
            rules,
            &(options.defines.clone() + &text),
            &root,
            Path::new("/etc"),
        ),
        Err(wrong) => Err(wrong),
    };
    if options.check {
        rules.clone_from(&before);
    }
    let out = match ran {
        Ok(out) => out,
        Err(wrong) => return Answer::fails(1, told(&text, options.defines.len(), name, &wrong)),
    };
    if !options.check {
        let changed = before != *rules;
        forget_iptables(machine, &out);
        if changed || !out.flushed.is_empty() {
            machine.firewall.changed(Kind::Nft, call, &machine.record);
        }
    }
    let mut printed = String::new();
    for words in &out.lists {
        match list(machine, words, &options) {
            Ok(text) => printed += &text,
            Err(answer) => return answer,
        }
    }
    Answer::out(printed)
}

fn options(call: &Call) -> Result<Options, Answer> {
    let mut options = Options::default();
    let mut words = call.args.iter().peekable();
    while let Some(word) = words.next() {
        let long = word.strip_prefix("--");
        let letters = match long {
            Some(long) => match long.split('=').next().unwrap_or_default() {
                "file" => "f",
                "check" => "c",
                "json" => "j",
                "handle" => "a",
                "stateless" => "s",
                "terse" => "t",
                "define" => "D",
                "includepath" => "I",
                "debug" => "d",
                "version" | "help" => return Err(Answer::Pass),
                "interactive" => "i",
                _ => "n",
            },
            None => match word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                Some(letters) => letters,
                None => {
                    options.words.push(word.clone());
                    continue;
                }
            },
        };
        for (at, letter) in letters.char_indices() {
            let rest = match long {
                Some(long) => long.split_once('=').map(|(_, value)| value.to_owned()),
                None => Some(letters[at + 1..].to_owned()).filter(|rest| !rest.is_empty()),
            };
            let mut value = || {
                rest.clone()
                    .or_else(|| words.next().cloned())
                    .unwrap_or_default()
            };
            match letter {
                'v' | 'V' | 'h' => return Err(Answer::Pass),
                'i' => {
                    let hint = "give the commands as arguments or with -f";
                    return Err(Answer::refused("nft has nobody to talk to here", hint));
                }
                'c' => options.check = true,
                'j' => options.json = true,
                'a' => options.style.handles = true,
                's' => options.style.stateless = true,
                't' => options.style.terse = true,
                'f' => {
                    options.file = Some(value());
                    break;
                }
                'D' => {
                    options.defines += &format!("define {}\n", value().replacen('=', " = ", 1));
                    break;
                }
                'I' | 'd' => {
                    value();
                    break;
                }
                _ => {}
            }
        }
    }
    match options.words.is_empty() && options.file.is_none() {
        true => Err(Answer::Pass),
        false => Ok(options),
    }
}

/// What nft prints of an error, with the line and marks below it.
fn told(text: &str, before: usize, name: Option<&str>, wrong: &Wrong) -> String {
    let at = wrong.at.start.saturating_sub(before).min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (first, length) = (at - start, wrong.at.len().max(1));
    let place = name.map(|name| {
        let number = text[..at].matches('\n').count() + 1;
        format!("{name}:{number}:{}-{}: ", first + 1, first + length)
    });
    let marks = format!("{:first$}{}", "", "^".repeat(length));
    format!(
        "{}Error: {}\n{line}\n{marks}\n",
        place.unwrap_or_default(),
        wrong.what
    )
}

/// iptables has its tables in the same place, where that is the newer one.
fn forget_iptables(machine: &mut Machine, out: &Outcome) {
    let root = machine.root.clone();
    for (family, name) in [(Family::V4, "ip"), (Family::V6, "ip6")] {
        let mine = |flushed: &Option<String>| flushed.as_deref().is_none_or(|of| of == name);
        if out.flushed.iter().any(mine) {
            *machine.firewall.tables(family, &root) = Tables::default();
        }
    }
}

fn list(machine: &mut Machine, words: &[String], options: &Options) -> Result<String, Answer> {
    let root = machine.root.clone();
    let rules = machine.firewall.nft(&root);
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.first() != Some(&"list") {
        return Err(Answer::refused(
            &format!("nft {} needs a running machine", words.join(" ")),
            "a machine counts, an image does not",
        ));
    }
    words.remove(0);
    let families = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
    let family = words
        .get(1)
        .filter(|word| families.contains(word))
        .map(|word| (*word).to_owned());
    if family.is_some() {
        words.remove(1);
    }
    if options.json {
        return json(rules);
    }
    let of_family = |of: &str| family.as_deref().is_none_or(|family| family == of);
    let named = family.as_deref().unwrap_or("ip");
    let missing = || {
        let line = format!("list {}", words.join(" "));
        Answer::fails(1, format!("Error: No such file or directory\n{line}\n"))
    };
    let some = |wanted: &dyn Fn(&str, &str) -> bool| {
        let tables = rules.tables.iter().filter(|table| of_family(&table.family));
        let printed = tables.map(|table| table.print_some(options.style, wanted));
        printed.collect::<Vec<_>>().concat()
    };
    Ok(match words.as_slice() {
        ["ruleset"] => {
            let tables = rules
                .tables
                .iter()
                .filter(|table| of_family(&table.family))
                .cloned();
            let tables = Ruleset {
                tables: tables.collect(),
            };
            tables.print(options.style) + &of_iptables(machine, family.as_deref())
        }
        ["tables"] => {
            let tables = rules.tables.iter().filter(|table| of_family(&table.family));
            tables
                .map(|table| format!("table {} {}\n", table.family, table.name))
                .collect()
        }
        ["table", name] => {
            let table = rules.table(named, name).ok_or_else(missing)?;
            table.print(options.style)
        }
        ["chains"] => some(&|kind, _| kind == "chain"),
        [plural] if plural.ends_with('s') => some(&|kind, _| kind == plural.trim_end_matches('s')),
        [kind, table, name] => {
            let table = rules.table(named, table).ok_or_else(missing)?;
            let there = match *kind {
                "chain" => table.chains.iter().any(|chain| chain.name == *name),
                kind => table
                    .objects
                    .iter()
                    .any(|object| object.kind == kind && object.name == *name),
            };
            if !there {
                return Err(missing());
            }
            table.print_some(options.style, &|of, called| of == *kind && called == *name)
        }
        _ => return Err(missing()),
    })
}

/// Words of rules are kept as words, so there is only this of them in JSON.
fn json(rules: &Ruleset) -> Result<String, Answer> {
    match rules.tables.is_empty() {
        true => Ok("{\"nftables\": [{\"metainfo\": {\"json_schema_version\": 1}}]}\n".into()),
        false => Err(Answer::refused(
            "rules cannot be listed as JSON without a running machine",
            "list them without -j",
        )),
    }
}

/// The tables of iptables, which nft could not load: as comments, since they are loaded otherwise.
fn of_iptables(machine: &mut Machine, family: Option<&str>) -> String {
    let root = machine.root.clone();
    let mut out = String::new();
    for (of, name) in [(Family::V4, "ip"), (Family::V6, "ip6")] {
        if family.is_some_and(|family| family != name) {
            continue;
        }
        for table in machine.firewall.tables(of, &root).used() {
            out += &format!(
                "# Warning: table {name} {} is managed by iptables-nft, do not touch!\n",
                table.name
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::super::{call::tests::call, firewall::settle::settle, record::How},
        *,
    };

    fn run(machine: &mut Machine, line: &str) -> (u8, String) {
        match nft(&call(line), machine) {
            Answer::Said { code, out, err } => {
                (code, String::from_utf8([out, err].concat()).unwrap())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    const FILE: &str =
        "flush ruleset\ntable inet f {\n  chain c {\n    tcp dprot 22 accept\n  }\n}\n";

    #[test]
    fn a_wrong_file_is_told_as_nft_tells_it_and_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(root.path(), true);
        fs::write(root.path().join("x.nft"), FILE).unwrap();
        for line in [
            "nft -c -f /x.nft",
            "nft -cf x.nft",
            "nft --check --file=/x.nft",
        ] {
            let (code, said) = run(&mut machine, line);
            assert_eq!(code, 1);
            let marks =
                "Error: syntax error, unexpected string\n    tcp dprot 22 accept\n        ^^^^^\n";
            assert!(
                said.ends_with(marks) && said.contains("x.nft:4:9-13: "),
                "{line}: {said}"
            );
        }
        assert!(
            run(&mut machine, "nft add rule inet f c accept")
                .1
                .contains("No such file or directory")
        );
        fs::write(root.path().join("x.nft"), FILE.replace("dprot", "dport")).unwrap();
        assert_eq!(run(&mut machine, "nft -c -f /x.nft"), (0, String::new()));
        assert_eq!(run(&mut machine, "nft list ruleset"), (0, String::new()));
        settle(&mut machine);
        assert!(machine.record.all().is_empty());
    }

    #[test]
    fn what_no_boot_loads_is_a_step_once() {
        let root = tempfile::tempdir().unwrap();
        let steps = root.path().join("var/lib/pichroot/first-boot/steps");
        fs::create_dir_all(&steps).unwrap();
        let mut machine = Machine::new(root.path(), true);
        for line in [
            "nft add table inet f",
            "nft add chain inet f c",
            "nft add rule inet f c counter drop",
        ] {
            assert_eq!(run(&mut machine, line), (0, String::new()));
        }
        settle(&mut machine);
        let all = machine.record.all();
        assert_eq!(all.len(), 3);
        let How::Unit(step) = &all[2].how else {
            panic!("{all:?}");
        };
        assert_eq!(all[0].how, How::Unit(String::new()));
        assert!(
            step.starts_with("nft -f - <<'PICHROOT_RULES'\ntable inet f\ndelete table inet f\n"),
            "{step}"
        );
        fs::write(steps.join("00001"), format!("# x\n{step}")).unwrap();

        // The next run has them, and adds nothing.
        let mut machine = Machine::new(root.path(), true);
        let listed = run(&mut machine, "nft list chain inet f c").1;
        assert!(
            listed.contains("\t\tcounter packets 0 bytes 0 drop\n"),
            "{listed}"
        );
        assert_eq!(run(&mut machine, "nft add table inet f").0, 0);
        settle(&mut machine);
        assert!(machine.record.all().is_empty());
    }
}
