//! `nmcli connection edit`, as programs use it: with commands on its standard input.

use super::{
    super::super::{
        call::{Answer, Call},
        machine::Machine,
        networkmanager::{Keyfile, lines},
    },
    connection::{find, modify, offline, unknown, written},
    style::{Style, not_here},
};

/// What `nmcli connection edit` is told on its standard input: `set`, `print`, `save`.
pub fn edit(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
    let Some(input) = &call.stdin else {
        return Answer::NeedsInput;
    };
    let input = String::from_utf8_lossy(input).into_owned();
    let kind = match words {
        ["type", kind, ..] => Some(*kind),
        _ => None,
    };
    let found = match kind {
        Some(_) => None,
        None => match find(machine, words) {
            Some((found, _)) => Some(found),
            None => return unknown(words),
        },
    };
    let mut changes: Vec<String> = Vec::new();
    let mut out = String::new();
    for line in input.lines() {
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "set" => {
                let (property, value) = rest.trim().split_once(' ').unwrap_or((rest, ""));
                changes.extend([property.to_owned(), value.trim().to_owned()]);
            }
            "remove" => changes.extend([rest.trim().to_owned(), String::new()]),
            "print" => match (&found, kind) {
                (Some(found), _) => out += &properties(&found.file, rest.trim()),
                (None, Some(kind)) => out += &supported(call, kind, rest.trim()),
                _ => {}
            },
            "save" => {
                let Some(found) = &found else {
                    return not_here(call);
                };
                let words: Vec<&str> = changes.iter().map(String::as_str).collect();
                let text = match modify(call, found, &words) {
                    Ok(text) => text,
                    Err(answer) => return answer,
                };
                let saved = written(found, &text, "successfully updated.");
                let Answer::Said {
                    code: 0, out: said, ..
                } = saved
                else {
                    return saved;
                };
                out += &String::from_utf8_lossy(&said);
                changes.clear();
            }
            "quit" | "yes" | "" | "verify" | "help" => {}
            _ => return not_here(call),
        }
    }
    Answer::out(out)
}

fn properties(file: &Keyfile, setting: &str) -> String {
    let section = format!("{setting}.");
    let lines = lines(file, false).into_iter();
    let wanted = lines.filter(|(name, _)| setting.is_empty() || name.starts_with(&section));
    wanted
        .map(|(name, value)| Style::default().line(&name, &value))
        .collect()
}

/// The properties of a setting, as the image's nmcli knows them: it names them where one is wrong.
fn supported(call: &Call, kind: &str, setting: &str) -> String {
    let wrong = format!("{setting}.pichroot");
    let base = ["add", "type", kind, "con-name", "x", "ifname", "x"];
    let more: &[&str] = if kind == "wifi" { &["ssid", "x"] } else { &[] };
    let Err(Answer::Said { err, .. }) =
        offline(call, None, &[&base[..], more, &[&wrong, "x"]].concat())
    else {
        return String::new();
    };
    let said = String::from_utf8_lossy(&err).into_owned();
    let names = said
        .split_once("not among [")
        .and_then(|(_, rest)| rest.split(']').next());
    let names = names
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names
        .map(|name| Style::default().line(&format!("{setting}.{name}"), "--"))
        .collect()
}
