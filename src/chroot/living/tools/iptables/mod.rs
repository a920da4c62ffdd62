//! iptables and its relatives, answered from the [model](super::super::firewall::iptables).

use super::super::{
    call::{Answer, Call},
    firewall::{
        Kind,
        iptables::{self, Action, How, List, Problem},
        names::{Family, Names},
    },
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("ip6tables", command),
    ("ip6tables-legacy", command),
    ("ip6tables-legacy-restore", restore),
    ("ip6tables-legacy-save", save),
    ("ip6tables-nft", command),
    ("ip6tables-nft-restore", restore),
    ("ip6tables-nft-save", save),
    ("ip6tables-restore", restore),
    ("ip6tables-save", save),
    ("iptables", command),
    ("iptables-legacy", command),
    ("iptables-legacy-restore", restore),
    ("iptables-legacy-save", save),
    ("iptables-nft", command),
    ("iptables-nft-restore", restore),
    ("iptables-nft-save", save),
    ("iptables-restore", restore),
    ("iptables-save", save),
];

/// A file that was named in the folder that the program was started in.
fn in_image(call: &Call, machine: &Machine, file: &str) -> std::path::PathBuf {
    machine.at(&call.cwd.join(file).to_string_lossy())
}

fn family(call: &Call) -> Family {
    match call.name().starts_with("ip6") {
        true => Family::V6,
        false => Family::V4,
    }
}

fn command(call: &Call, machine: &mut Machine) -> Answer {
    let family = family(call);
    let program = iptables::program_of(family);
    let version = machine.firewall.version(call);
    let asks = |words: [&str; 2]| call.args.iter().any(|word| words.contains(&word.as_str()));
    if asks(["-V", "--version"]) {
        return Answer::out(format!("{program} {version}\n"));
    }
    if asks(["-h", "--help"]) {
        return Answer::Pass;
    }
    if !call.is_root() {
        return answer(Problem::Kernel(NOT_ROOT.into()), program, &version);
    }
    let root = machine.root.clone();
    let names = Names::new(family, &root, Some(call));
    let command = match iptables::parse(call.args.clone(), &names, false) {
        Ok(Some(command)) => command,
        Ok(None) => return Answer::ok(),
        Err(problem) => return answer(problem, program, &version),
    };
    let tables = machine.firewall.tables(family, &root);
    let before = tables.clone();
    let mut applied = tables.apply(&command.table, &command.action);
    if before != *tables {
        machine
            .firewall
            .changed(Kind::Iptables, call, &machine.record);
    }
    let mut out = String::new();
    if applied.is_ok() {
        let tables = machine.firewall.tables(family, &root);
        let printed = tables
            .get_mut(&command.table)
            .and_then(|table| match &command.action {
                action @ Action::Rules(..) => iptables::rules(table, action, command.format),
                action => List {
                    table,
                    format: command.format,
                    names: &names,
                    protocol_numbers: version.starts_with("v1.8.9 "),
                }
                .print(action),
            });
        match printed {
            Ok(text) => out = text,
            Err(problem) => applied = Err(problem),
        }
    }
    match (applied, &command.action) {
        (Ok(()), _) => Answer::out(out),
        (Err(Problem::Said(_)), Action::List(Some(chain), _) | Action::Rules(Some(chain), _))
            if version == "v1.8.9 (nf_tables)" =>
        {
            // A word of that version alone.
            let table = &command.table;
            let what =
                format!("chain `{chain}' in table `{table}' is incompatible, use 'nft' tool.");
            Answer::fails(1, format!("{program} {version}: {what}\n"))
        }
        (Err(problem), _) => answer(problem, program, &version),
    }
}

const NOT_ROOT: &str =
    "Could not fetch rule set generation id: Permission denied (you must be root)";

/// What the program says of a problem, and its exit code.
fn answer(problem: Problem, program: &str, version: &str) -> Answer {
    let help = format!("Try `{program} -h' or '{program} --help' for more information.\n");
    let legacy = version.ends_with("(legacy)");
    match problem {
        Problem::Words(what) if legacy => match what.strip_prefix("Chain '") {
            Some(rest) => {
                let name = rest.split('\'').next().unwrap_or_default();
                let missing = format!("Couldn't load target `{name}':No such file or directory\n");
                Answer::fails(2, format!("{program} {version}: {missing}\n{help}"))
            }
            None => Answer::fails(2, format!("{program} {version}: {what}\n{help}")),
        },
        Problem::Words(what) => Answer::fails(2, format!("{program} {version}: {what}\n{help}")),
        Problem::Bare(what) => Answer::fails(2, what + &help),
        Problem::Table(table) => {
            let what = match legacy {
                true => format!(
                    "can't initialize {program} table `{table}': Table does not exist (do you need to insmod?)"
                ),
                false => format!("table '{table}' does not exist"),
            };
            let upgrade = format!("Perhaps {program} or your kernel needs to be upgraded.\n");
            Answer::fails(3, format!("{program} {version}: {what}\n{upgrade}"))
        }
        Problem::Kernel(what) => Answer::fails(4, format!("{program} {version}: {what}\n")),
        Problem::Said(what) => Answer::fails(1, format!("{program}: {what}\n")),
        Problem::Silent => Answer::fails(1, ""),
    }
}

fn save(call: &Call, machine: &mut Machine) -> Answer {
    let mut wanted = None;
    let mut counters = false;
    let mut file = None;
    let mut words = call.args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-V" | "--version" | "-h" | "--help" => return Answer::Pass,
            "-c" | "--counters" => counters = true,
            "-t" | "--table" => wanted = words.next().cloned(),
            "-f" | "--file" => file = words.next().cloned(),
            "-M" | "--modprobe" => drop(words.next()),
            word if word.starts_with("--table=") => wanted = Some(word["--table=".len()..].into()),
            word if word.starts_with("--file=") => file = Some(word["--file=".len()..].into()),
            word if word.starts_with("-t") => wanted = Some(word[2..].into()),
            word if word.starts_with('-') => {
                let manual = format!(
                    "Look at manual page `{}.8' for more information.\n",
                    call.name()
                );
                return Answer::fails(1, manual);
            }
            _ => return Answer::fails(1, "Unknown arguments found on commandline\n"),
        }
    }
    let (family, version) = (family(call), machine.firewall.version(call));
    if !call.is_root() {
        return answer(
            Problem::Kernel(NOT_ROOT.into()),
            iptables::program_of(family),
            &version,
        );
    }
    let root = machine.root.clone();
    let tables = machine.firewall.tables(family, &root);
    let head = format!("{} {}", call.name(), version.trim_end_matches(" (legacy)"));
    let text = match wanted.as_deref() {
        None => iptables::save(tables.used(), &head, counters),
        Some(name) => match tables.get(name) {
            Some(table) => iptables::save(std::iter::once(table), &head, counters),
            None => return Answer::fails(1, format!("Table `{name}' does not exist\n")),
        },
    };
    match file {
        None => Answer::out(text),
        Some(file) => match std::fs::write(in_image(call, machine, &file), text) {
            Ok(()) => Answer::ok(),
            Err(error) => Answer::fails(1, format!("Failed to open file, error: {error}\n")),
        },
    }
}

fn restore(call: &Call, machine: &mut Machine) -> Answer {
    let family = family(call);
    let mut how = How {
        program: call.name().to_owned(),
        ..How::default()
    };
    let mut file = None;
    let mut words = call.args.iter().peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-V" | "--version" | "-h" | "--help" => return Answer::Pass,
            "-n" | "--noflush" => how.keep = true,
            "-t" | "--test" => how.test = true,
            "-T" | "--table" => how.table = words.next().cloned(),
            "-M" | "--modprobe" => drop(words.next()),
            "-c" | "--counters" | "-v" | "--verbose" | "-b" | "--binary" => {}
            "-w" | "--wait" | "-W" | "--wait-interval" => {
                let number = |word: &&String| word.bytes().all(|b| b.is_ascii_digit());
                words.next_if(number);
            }
            word if word.starts_with("--wait") || word.starts_with("-w") => {}
            word if word.starts_with("--table=") => {
                how.table = Some(word["--table=".len()..].into())
            }
            word if word.starts_with('-')
                && word[1..].chars().all(|l| "cvtn".contains(l))
                && word.len() > 1 =>
            {
                how.keep |= word.contains('n');
                how.test |= word.contains('t');
            }
            word if word.starts_with('-') => {
                return Answer::fails(
                    1,
                    format!("Try `{} -h' for more information.\n", call.name()),
                );
            }
            _ if file.is_some() => {
                return Answer::fails(1, "Unknown arguments found on commandline\n");
            }
            word => file = Some(word.to_owned()),
        }
    }
    let version = machine.firewall.version(call);
    if !call.is_root() {
        return answer(Problem::Kernel(NOT_ROOT.into()), call.name(), &version);
    }
    let text = match &file {
        Some(file) => super::super::firewall::names::read(&in_image(call, machine, file))
            .ok_or_else(|| format!("Can't open {file}: No such file or directory\n")),
        None => match &call.stdin {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => return Answer::NeedsInput,
        },
    };
    let text = match text {
        Ok(text) => text,
        Err(told) => return Answer::fails(1, told),
    };
    let root = machine.root.clone();
    let names = Names::new(family, &root, Some(call));
    let tables = machine.firewall.tables(family, &root);
    let before = tables.clone();
    let restored = iptables::restore(tables, &text, &how, &names);
    if before != *tables {
        machine
            .firewall
            .changed(Kind::Iptables, call, &machine.record);
    }
    match restored {
        Ok(()) => Answer::ok(),
        Err(problem) => answer(problem, call.name(), &version),
    }
}

#[cfg(test)]
mod tests;
