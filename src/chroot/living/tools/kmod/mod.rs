//! Loading modules, and removing them (modprobe(8), insmod(8), rmmod(8)): put off, as an image has no running kernel.
//!
//! The program itself looks for what would be loaded, so it fails where it would fail on the machine.

#[cfg(test)]
mod tests;

use std::process::Output;

use super::options::{Known, Options};
use crate::{
    chroot::living::{
        call::{Answer, Call, quoted},
        kernel::{
            assigned,
            catalogue::{Catalogue, has_kernel, name_of},
            modules::at_boot,
            persistent::nothing,
            subject::Subject,
        },
        machine::Machine,
        tool::Tools,
    },
    sys::inroot::Root,
};

/// What answers these.
pub const TOOLS: Tools = &[("insmod", insmod), ("modprobe", modprobe), ("rmmod", rmmod)];

const MODPROBE: Known = Known {
    with_value: &[
        ("config", "C"),
        ("dirname", "d"),
        ("set-version", "S"),
        ("wait", "w"),
    ],
    plain: &[
        ("all", "a"),
        ("dry-run", "n"),
        ("dump-modversions", ""),
        ("first-time", ""),
        ("force", "f"),
        ("force-modversion", ""),
        ("force-vermagic", ""),
        ("help", "h"),
        ("ignore-install", "i"),
        ("ignore-remove", ""),
        ("quiet", "q"),
        ("remove", "r"),
        ("remove-dependencies", ""),
        ("remove-holders", ""),
        ("resolve-alias", "R"),
        ("show", ""),
        ("show-config", ""),
        ("show-depends", "D"),
        ("show-exports", ""),
        ("show-modversions", ""),
        ("showconfig", "c"),
        ("syslog", "s"),
        ("use-blacklist", "b"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};
/// With these it only tells something, of the image's own modules.
const TELLS: [&str; 4] = ["dry-run", "show", "show-depends", "resolve-alias"];
/// With these it has nothing to do with what is loaded.
const OTHER: [&str; 8] = [
    "dirname",
    "dump-modversions",
    "help",
    "show-config",
    "show-exports",
    "show-modversions",
    "showconfig",
    "version",
];
const SIMPLE: Known = Known {
    with_value: &[],
    plain: &[
        ("force", "f"),
        ("help", "h"),
        ("syslog", "s"),
        ("verbose", "v"),
        ("version", "V"),
        ("wait", "w"),
    ],
};
/// udev applies the settings of this module, and of no other, when it is loaded (99-systemd.rules).
const BRIDGES: (&str, &str) = ("br_netfilter", "net/bridge/");

fn modprobe(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&MODPROBE, &call.args) else {
        return Answer::Pass;
    };
    let Some(root) = machine.files_root().filter(|_| call.is_root()) else {
        return Answer::Pass;
    };
    if options.words.is_empty() || OTHER.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    let known = has_kernel(&root);
    if TELLS.iter().any(|name| options.has(name)) {
        return match known {
            true => Answer::of(resolve(call, machine, &options, false), 1),
            false => Answer::Pass,
        };
    }
    let found = match known {
        true => match resolve(call, machine, &options, true) {
            Ok(output) if output.status.success() => Found::read(&output),
            output => return without_output(Answer::of(output, 1), &options),
        },
        false => Found::default(),
    };
    let removes = ["remove", "remove-dependencies", "remove-holders"];
    let done = match removes.iter().any(|name| options.has(name)) {
        true => remove(call, machine, &options.words, found.removed),
        false if found.loaded.is_empty() && found.commands.iter().any(|c| nothing(c)) => {
            // It runs them and says what they say: nothing is loaded by these.
            return Answer::of(call.real(&program(call), &words(&call.args)), 1);
        }
        false if known && found.loaded.is_empty() && found.commands.is_empty() => Ok(()),
        false => load(machine, &root, &options, &found),
    };
    match done {
        Ok(()) if options.has("verbose") => Answer::out(found.text),
        Ok(()) => Answer::ok(),
        Err(refused) => refused,
    }
}

/// What the program would do.
#[derive(Debug, Default)]
struct Found {
    loaded: Vec<String>,
    removed: Vec<String>,
    commands: Vec<String>,
    text: String,
}

impl Found {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut found = Found::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("insmod", rest)) => {
                    let path = rest.split_whitespace().next().unwrap_or_default();
                    found.loaded.push(name_of(path));
                }
                Some(("rmmod", rest)) => found.removed.push(name_of(rest.trim())),
                Some(("install" | "remove", rest)) => found.commands.push(rest.trim().to_owned()),
                _ => {}
            }
        }
        Found { text, ..found }
    }
}

/// Has the program itself look for modules of the image's kernel, not of this host's.
fn resolve(
    call: &Call,
    machine: &Machine,
    options: &Options,
    dry: bool,
) -> std::io::Result<Output> {
    let release = machine.kernel.lock().release.clone();
    let mut args = Vec::new();
    if dry {
        args.extend(["--dry-run", "--verbose"]);
    }
    if options.value("set-version").is_none() {
        args.extend(["--set-version", &release]);
    }
    args.extend(words(&call.args));
    call.real(&program(call), &args)
}

fn load(
    machine: &mut Machine,
    root: &Root,
    options: &Options,
    found: &Found,
) -> Result<(), Answer> {
    let (names, parameters) = match options.has("all") {
        true => (&options.words[..], &[][..]),
        false => options.words.split_at(1),
    };
    for word in names {
        let words = ["modprobe", word]
            .into_iter()
            .chain(parameters.iter().map(String::as_str));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let subject = Subject::Module {
            name: name_of(word),
            parameters: parameters.to_vec(),
            line: line.clone(),
        };
        machine.note_change(&line, subject)?;
    }
    let asked = names.iter().map(|name| name_of(name));
    match found.loaded.is_empty() {
        // There is nobody to ask, or a command of the image loads it at the first boot.
        true => asked.for_each(|name| load_one(machine, root, &name)),
        false => found
            .loaded
            .iter()
            .for_each(|name| load_one(machine, root, name)),
    }
    Ok(())
}

fn load_one(machine: &Machine, root: &Root, name: &str) {
    let mut kernel = machine.kernel.lock();
    let catalogue = Catalogue::read(root, &kernel.release);
    if kernel.modules.load(name, &catalogue, root) {
        kernel.sysctl.add_module(name);
        if name == BRIDGES.0 {
            kernel.sysctl.apply(&assigned::read(root), BRIDGES.1);
        }
    }
}

/// Removes these; of what was asked for, notes that it is to go.
fn remove(
    call: &Call,
    machine: &mut Machine,
    asked: &[String],
    removed: Vec<String>,
) -> Result<(), Answer> {
    let root = machine.files_root();
    let at_boot = root.map(|root| at_boot(&root)).unwrap_or_default();
    for word in asked {
        let name = name_of(word);
        let line = match call.name() {
            "rmmod" => format!("rmmod {}", quoted(word)),
            _ => format!("modprobe -r {}", quoted(word)),
        };
        let subject = Subject::NoModule {
            name: name.clone(),
            line: line.clone(),
        };
        // One that only a task has loaded is as before.
        let before = machine.changes.undo(&subject);
        let was_ours = matches!(before, Some(Subject::Module { .. }));
        if !was_ours || at_boot.iter().any(|(other, _)| *other == name) {
            machine.note_change(&line, subject)?;
        }
    }
    let mut kernel = machine.kernel.lock();
    let asked = asked.iter().map(|word| name_of(word));
    for name in asked.chain(removed) {
        kernel.modules.remove(&name);
        kernel.sysctl.remove_module(&name);
    }
    Ok(())
}

fn rmmod(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SIMPLE, &call.args) else {
        return Answer::Pass;
    };
    let goes = |word: &String| {
        let (kernel, name) = (machine.kernel.lock(), name_of(word));
        kernel.modules.has(&name) && (options.has("force") || !kernel.modules.is_used(&name))
    };
    // What it finds fault with, it says itself.
    if !call.is_root() || options.words.is_empty() || !options.words.iter().all(goes) {
        return Answer::Pass;
    }
    match remove(call, machine, &options.words, Vec::new()) {
        Ok(()) if options.has("verbose") => {
            let lines = options
                .words
                .iter()
                .map(|word| format!("rmmod {}\n", name_of(word)));
            Answer::out(lines.collect::<String>())
        }
        Ok(()) => Answer::ok(),
        Err(refused) => refused,
    }
}

fn insmod(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&SIMPLE, &call.args) else {
        return Answer::Pass;
    };
    let Some((root, word)) = machine.files_root().zip(options.words.first()) else {
        return Answer::Pass;
    };
    let path = call.cwd.join(word);
    // What it finds fault with, it says itself.
    if !call.is_root() || root.file(&path).is_err() {
        return Answer::Pass;
    }
    let name = name_of(word);
    if machine.kernel.lock().modules.has(&name) {
        let text = format!("insmod: ERROR: could not insert module {word}: File exists\n");
        return Answer::fails(1, text);
    }
    let path = path.to_string_lossy();
    let words = ["insmod", &path]
        .into_iter()
        .chain(options.words[1..].iter().map(String::as_str));
    let line = words.map(quoted).collect::<Vec<_>>().join(" ");
    let subject = Subject::Module {
        name: name.clone(),
        parameters: options.words[1..].to_vec(),
        line: line.clone(),
    };
    match machine.note_change(&line, subject) {
        Ok(()) => {
            load_one(machine, &root, &name);
            Answer::ok()
        }
        Err(refused) => refused,
    }
}

fn program(call: &Call) -> String {
    call.program.to_string_lossy().into_owned()
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// What it was only made to tell is left out.
fn without_output(answer: Answer, options: &Options) -> Answer {
    match answer {
        Answer::Said { code, err, .. } if !options.has("verbose") => Answer::Said {
            code,
            out: Vec::new(),
            err,
        },
        answer => answer,
    }
}
