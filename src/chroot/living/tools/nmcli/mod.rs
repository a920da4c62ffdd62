//! nmcli, without the daemon that it talks to: connections are files of the image.
//!
//! What a connection becomes, the image's own nmcli says, which can write one without the daemon since 1.36.

mod connection;
mod device;
mod style;

use super::super::{
    call::{Answer, Call},
    machine::Machine,
    tool::Tools,
};
use connection::connection;
use device::{device, devices, general, networking, radio};
use style::Style;

/// What is answered here.
pub const TOOLS: Tools = &[("nmcli", nmcli)];

const CONNECTION: [&str; 14] = [
    "show", "up", "down", "add", "edit", "delete", "reload", "load", "modify", "clone", "import",
    "export", "monitor", "migrate",
];
const DEVICE: [&str; 14] = [
    "status",
    "show",
    "connect",
    "reapply",
    "disconnect",
    "down",
    "delete",
    "set",
    "monitor",
    "wifi",
    "lldp",
    "up",
    "modify",
    "checkpoint",
];

/// The command that a word, which may be cut short, means: the first one that begins so.
fn meant(word: &str, all: &[&'static str]) -> &'static str {
    let begins = |one: &&&str| one.starts_with(word);
    all.iter().find(begins).copied().unwrap_or_default()
}

fn nmcli(call: &Call, machine: &mut Machine) -> Answer {
    let Some((style, words)) = options(call) else {
        return Answer::Pass;
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let objects = [
        "general",
        "networking",
        "radio",
        "connection",
        "device",
        "agent",
        "monitor",
        "help",
    ];
    let Some((object, words)) = words.split_first() else {
        return devices(&style);
    };
    if !call.is_root() && !matches!(words.first(), None | Some(&("show" | "status" | "s"))) {
        return Answer::fails(8, "Error: not authorized to control networking.\n");
    }
    match meant(object, &objects) {
        "connection" => {
            let (command, words) = match words.split_first() {
                Some((command, words)) => (meant(command, &CONNECTION), words),
                None => ("show", words),
            };
            connection(call, machine, &style, command, words)
        }
        "device" => {
            let (command, words) = match words.split_first() {
                Some((command, words)) => (meant(command, &DEVICE), words),
                None => ("status", words),
            };
            device(call, machine, &style, command, words)
        }
        "general" => general(call, machine, &style, words),
        "networking" => networking(call, machine, words),
        "radio" => radio(machine, &style, words),
        "help" => Answer::Pass,
        "monitor" | "agent" => not_here(call),
        _ => Answer::fails(
            2,
            format!("Error: argument '{object}' not understood. Try passing --help instead.\n"),
        ),
    }
}

/// The options in front, and the words behind them; nothing where the program itself is to answer.
fn options(call: &Call) -> Option<(Style, Vec<String>)> {
    let mut style = Style {
        escape: true,
        ..Style::default()
    };
    let mut words = call.args.iter();
    let list = |word: Option<&String>| {
        let word = word.map(String::as_str).unwrap_or_default();
        Some(word.split(',').map(str::to_owned).collect())
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--offline" | "-off" | "-v" | "--version" | "-h" | "--help" => return None,
            "-t" | "--terse" | "-terse" => style.terse = true,
            "-s" | "--show-secrets" | "-show-secrets" => style.secrets = true,
            "-p" | "--pretty" | "-a" | "--ask" => {}
            "-f" | "--fields" | "-fields" => style.fields = list(words.next()),
            "-g" | "--get-values" | "-get-values" => {
                style.fields = list(words.next());
                (style.terse, style.values) = (true, true);
            }
            "-m" | "--mode" | "-mode" => {
                style.multiline = words.next().map(|mode| mode.starts_with('m'));
            }
            "-e" | "--escape" | "-escape" => {
                style.escape = words.next().is_none_or(|word| word != "no")
            }
            "-c" | "--colors" | "-w" | "--wait" | "-colors" | "-wait" => drop(words.next()),
            word if word.starts_with('-') => return None,
            word => {
                let mut all = vec![word.to_owned()];
                all.extend(words.cloned());
                return Some((style, all));
            }
        }
    }
    Some((style, Vec::new()))
}

fn not_here(call: &Call) -> Answer {
    Answer::refused(
        &format!(
            "'{}' needs NetworkManager itself, which runs on the machine",
            call.line()
        ),
        "leave it to the machine, or write the connection with `nmcli connection add` and `modify`",
    )
}
