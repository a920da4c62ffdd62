//! localectl, and what localed does for it: languages and keyboards are files (systemd's src/locale, with Debian's changes).

mod common;
mod keyboard;
mod locale;
#[cfg(test)]
mod tests;

use self::{
    keyboard::{CONSOLE, keyboard, set_keymap, set_x11},
    locale::{VARIABLES, locale_file, set_locale},
};
use super::{
    hostnamectl::table,
    options::{Known, Options},
};
use crate::chroot::living::{
    call::{Answer, Call},
    env_file::EnvFile,
    machine::Machine,
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("loadkeys", by_boot),
    ("localectl", localectl),
    ("setfont", by_boot),
];

const KNOWN: Known = Known {
    with_value: &[("host", "H"), ("machine", "M")],
    plain: &[
        ("full", "l"),
        ("help", "h"),
        ("no-ask-password", ""),
        ("no-convert", ""),
        ("no-pager", ""),
        ("version", ""),
    ],
};

fn localectl(call: &Call, machine: &mut Machine) -> Answer {
    let Some(options) = Options::of_client(&KNOWN, call, machine) else {
        return Answer::Pass;
    };
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let converts = !options.has("no-convert");
    let done = match words[..] {
        [] | ["status"] => return Answer::out(status(machine)),
        ["set-locale", ref assigned @ ..] if !assigned.is_empty() => {
            set_locale(call, machine, assigned)
                .map_err(|why| format!("Failed to issue method call: {why}"))
        }
        ["set-keymap", map, ref toggle @ ..] if toggle.len() < 2 => set_keymap(
            call,
            machine,
            map,
            toggle.first().copied().unwrap_or_default(),
            converts,
        )
        .map_err(|why| format!("Failed to set keymap: {why}")),
        ["set-x11-keymap", ref named @ ..] if (1..=4).contains(&named.len()) => {
            set_x11(call, machine, named, converts)
                .map_err(|why| format!("Failed to set keymap: {why}"))
        }
        // These read files.
        _ => return Answer::Pass,
    };
    match done {
        Ok(()) => Answer::ok(),
        Err(said) => Answer::fails(1, format!("{said}\n")),
    }
}

fn status(machine: &Machine) -> String {
    let locale = EnvFile::read(machine, locale_file(machine));
    let set = VARIABLES
        .iter()
        .filter_map(|name| Some(format!("{name}={}", locale.get(name)?)));
    let set: Vec<String> = set.collect();
    let console = EnvFile::read(machine, CONSOLE);
    let keyboard = keyboard(machine);
    let or_unset = |value: Option<&str>| value.unwrap_or("(unset)").to_owned();
    let shown = |index: usize| keyboard[index].clone().unwrap_or_default();
    let mut lines = vec![
        (
            "System Locale",
            set.first().cloned().unwrap_or_else(|| "(unset)".into()),
        ),
        ("VC Keymap", or_unset(console.get("KEYMAP"))),
        (
            "VC Toggle Keymap",
            console.get("KEYMAP_TOGGLE").unwrap_or_default().to_owned(),
        ),
        ("X11 Layout", or_unset(keyboard[0].as_deref())),
        ("X11 Model", shown(1)),
        ("X11 Variant", shown(2)),
        ("X11 Options", shown(3)),
    ];
    // The other variables are below the first.
    let more: String = set.iter().skip(1).map(|one| format!("\n\0{one}")).collect();
    lines[0].1 += &more;
    let text = table(&lines);
    let width = text
        .lines()
        .nth(1 + set.len().saturating_sub(1))
        .and_then(|line| line.find(": "));
    text.replace('\0', &" ".repeat(width.unwrap_or_default() + 2))
}

/// The console of the machine, which each boot sets up by files.
fn by_boot(call: &Call, machine: &mut Machine) -> Answer {
    let shows = |word: &String| {
        [
            "-h",
            "--help",
            "-V",
            "--version",
            "-b",
            "--bkeymap",
            "-m",
            "-p",
        ]
        .contains(&word.as_str())
    };
    if call.args.is_empty() || call.args.iter().any(shows) {
        return Answer::Pass;
    }
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::ok()
}
