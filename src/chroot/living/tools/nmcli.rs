//! nmcli, without the daemon that it talks to: connections are files of the image.
//!
//! What a connection becomes, the image's own nmcli says, which can write one without the daemon since 1.36.

use super::super::{
    call::{Answer, Call, quoted},
    machine::Machine,
    networkmanager::{Connection, Keyfile, connections, lines, new_file, write},
    record::How,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[("nmcli", nmcli)];

/// How nmcli prints.
#[derive(Default)]
struct Style {
    terse: bool,
    /// `-g`: values alone.
    values: bool,
    secrets: bool,
    fields: Option<Vec<String>>,
    multiline: Option<bool>,
    escape: bool,
}

const CONNECTION: [&str; 14] = [
    "show", "up", "down", "add", "edit", "delete", "reload", "load", "modify", "clone", "import",
    "export", "monitor", "migrate",
];
const DEVICE: [&str; 14] = [
    "status", "show", "connect", "reapply", "disconnect", "down", "delete", "set", "monitor",
    "wifi", "lldp", "up", "modify", "checkpoint",
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
        _ => Answer::fails(2, format!("Error: argument '{object}' not understood. Try passing --help instead.\n")),
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
            "-e" | "--escape" | "-escape" => style.escape = words.next().is_none_or(|word| word != "no"),
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

impl Style {
    /// A table, or its values with colons in between.
    fn table(&self, heads: &[&str], rows: &[Vec<String>]) -> String {
        let wanted: Vec<usize> = match &self.fields {
            None => (0..heads.len()).collect(),
            Some(fields) if fields.iter().any(|field| field == "all" || field == "common") => {
                (0..heads.len()).collect()
            }
            Some(fields) => {
                let place = |field: &String| heads.iter().position(|head| head.eq_ignore_ascii_case(field));
                fields.iter().filter_map(place).collect()
            }
        };
        if self.multiline == Some(true) {
            let mut out = String::new();
            for (row, at) in rows.iter().flat_map(|row| wanted.iter().map(move |at| (row, *at))) {
                out += &self.line(heads[at], &row[at]);
            }
            return out;
        }
        if self.terse {
            let line = |row: &Vec<String>| {
                let values = wanted.iter().map(|at| self.escaped(&row[*at]));
                values.collect::<Vec<_>>().join(":") + "\n"
            };
            return rows.iter().map(line).collect();
        }
        let shown = |value: &str| if value.is_empty() { "--".to_owned() } else { value.to_owned() };
        let width = |at: usize| {
            let values = rows.iter().map(|row| shown(&row[at]).chars().count());
            values.max().unwrap_or(0).max(heads[at].len())
        };
        let mut out = String::new();
        let line = |cells: Vec<String>| {
            let cells = cells.into_iter().zip(&wanted).map(|(cell, at)| format!("{cell:<w$}  ", w = width(*at)));
            cells.collect::<String>() + "\n"
        };
        out += &line(wanted.iter().map(|at| heads[*at].to_owned()).collect());
        for row in rows {
            out += &line(wanted.iter().map(|at| shown(&row[*at])).collect());
        }
        out
    }

    /// A property with its value.
    fn line(&self, name: &str, value: &str) -> String {
        match (self.values, self.terse) {
            (true, _) => format!("{}\n", self.bare(value)),
            (_, true) => format!("{name}:{}\n", self.bare(value)),
            _ => format!("{:<40}{}\n", format!("{name}:"), if value.is_empty() { "--" } else { value }),
        }
    }

    /// Nothing is the empty text.
    fn bare(&self, value: &str) -> String {
        let value = if value == "--" { "" } else { value };
        // What a number means is for people.
        let number = value.split_once(" (").filter(|(number, _)| number.parse::<i64>().is_ok());
        self.escaped(number.map_or(value, |(number, _)| number))
    }

    fn escaped(&self, value: &str) -> String {
        match self.escape && self.terse {
            true => value.replace('\\', "\\\\").replace(':', "\\:"),
            false => value.to_owned(),
        }
    }
}

fn not_here(call: &Call) -> Answer {
    Answer::refused(
        &format!("'{}' needs NetworkManager itself, which runs on the machine", call.line()),
        "leave it to the machine, or write the connection with `nmcli connection add` and `modify`",
    )
}

fn connection(call: &Call, machine: &mut Machine, style: &Style, command: &str, words: &[&str]) -> Answer {
    match command {
        "show" => show(machine, style, words),
        "add" => add(call, machine, words),
        "modify" => {
            let words = words.strip_prefix(&["--temporary"]).unwrap_or(words);
            let Some((found, rest)) = find(machine, words) else {
                return unknown(words);
            };
            match modify(call, &found, rest) {
                Ok(text) => written(&found, &text, ""),
                Err(answer) => answer,
            }
        }
        "edit" => edit(call, machine, words),
        "delete" => delete(machine, words),
        "clone" => clone(machine, words),
        "up" => up(call, machine, words),
        "down" => {
            let Some((found, _)) = find(machine, words) else {
                return unknown(words);
            };
            machine.record.put_off(call.line(), How::ByBoot);
            let path = "/org/freedesktop/NetworkManager/ActiveConnection/1";
            let (id, line) = (found.id(), "successfully deactivated (D-Bus active path");
            Answer::out(format!("Connection '{id}' {line}: {path})\n"))
        }
        "reload" | "load" | "migrate" => {
            machine.record.put_off(call.line(), How::ByBoot);
            Answer::ok()
        }
        "import" => {
            machine.record.put_off(call.line(), How::Unit(call.line()));
            Answer::ok()
        }
        "" => Answer::fails(2, format!("Error: argument '{}' not understood. Try passing --help instead.\n", words.join(" "))),
        _ => not_here(call),
    }
}

/// The connection that words mean, and the words behind it.
fn find<'a, 'b>(machine: &Machine, words: &'a [&'b str]) -> Option<(Connection, &'a [&'b str])> {
    let (by, words) = match words {
        [by @ ("id" | "uuid" | "path" | "filename"), words @ ..] if !words.is_empty() => (Some(*by), words),
        _ => (None, words),
    };
    let (name, rest) = words.split_first()?;
    let all = connections(&machine.root);
    let found = all.into_iter().find(|connection| connection.is(by, name))?;
    Some((found, rest))
}

fn unknown(words: &[&str]) -> Answer {
    let name = words.last().copied().unwrap_or_default();
    let name = match words {
        ["id" | "uuid" | "path", name, ..] => name,
        [name, ..] => name,
        [] => name,
    };
    Answer::fails(10, format!("Error: unknown connection '{name}'.\n"))
}

fn show(machine: &Machine, style: &Style, words: &[&str]) -> Answer {
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "--active" && *word != "--order").collect();
    if words.is_empty() {
        let row = |connection: &Connection| {
            let path = connection.path.display().to_string();
            let automatic = if connection.is_automatic() { "yes" } else { "no" };
            vec![
                connection.id(),
                connection.uuid(),
                connection.kind().replace("802-3-ethernet", "ethernet").replace("802-11-wireless", "wifi"),
                String::new(),
                automatic.into(),
                "no".into(),
                String::new(),
                path,
            ]
        };
        let rows: Vec<_> = connections(&machine.root).iter().map(row).collect();
        let heads = [
            "NAME", "UUID", "TYPE", "DEVICE", "AUTOCONNECT", "ACTIVE", "STATE", "FILENAME",
        ];
        return Answer::out(match &style.fields {
            None => {
                let rows: Vec<_> = rows.iter().map(|row| row[..4].to_vec()).collect();
                style.table(&heads[..4], &rows)
            }
            Some(_) => style.table(&heads, &rows),
        });
    }
    let mut out = String::new();
    let mut words = words.as_slice();
    while !words.is_empty() {
        let Some((found, rest)) = find(machine, words) else {
            let name = words.last().copied().unwrap_or_default();
            return Answer::fails(10, format!("Error: {name} - no such connection profile.\n"));
        };
        out += &profile(&found.file, style);
        words = rest;
    }
    Answer::out(out)
}

/// All properties of a connection, or those that are wanted.
fn profile(file: &Keyfile, style: &Style) -> String {
    let lines = lines(file, style.secrets);
    let all = style.fields.iter().flatten().any(|field| field == "all" || field == "profile");
    match style.fields.as_ref().filter(|_| !all) {
        None => lines.iter().map(|(name, value)| style.line(name, value)).collect(),
        Some(fields) => {
            let mut out = String::new();
            for field in fields {
                let field = field.replace("802-3-ethernet", "802-3-ethernet").to_lowercase();
                let section = format!("{field}.");
                let wanted = lines.iter().filter(|(name, _)| *name == field || name.starts_with(&section));
                for (name, value) in wanted {
                    out += &style.line(name, value);
                }
            }
            out
        }
    }
}

/// Has the image's nmcli write a connection, from these words and a file that it is to change.
fn offline(call: &Call, from: Option<&std::path::Path>, words: &[&str]) -> Result<String, Answer> {
    let nmcli = call.program.to_string_lossy();
    let command: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let input = from.map_or("/dev/null".into(), |path| path.to_string_lossy());
    let line = format!("{nmcli} --offline connection {} <{}", command.join(" "), quoted(&input));
    let ran = call.real("/bin/sh", &["-c", &line]);
    let ran = ran.map_err(|error| Answer::fails(1, format!("pichroot: cannot run {nmcli}: {error}\n")))?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        _ if said.contains("--offline") && said.contains("not") => Err(Answer::refused(
            "this nmcli cannot write connections without NetworkManager",
            "versions since 1.36 can; older ones need files in /etc/NetworkManager/system-connections",
        )),
        code => Err(Answer::fails(code.unwrap_or(1) as u8, said.replace("Error writing connection", "Failed to modify connection"))),
    }
}

fn add(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
    // Not known without the daemon.
    let words: Vec<&str> = match words.iter().position(|word| *word == "save") {
        Some(at) => [&words[..at], words.get(at + 2..).unwrap_or_default()].concat(),
        None => words.to_vec(),
    };
    let text = match offline(call, None, &[&["add"], &words[..]].concat()) {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let file = Keyfile::parse(&text);
    let id = file.text("connection", "id").unwrap_or_default();
    let path = new_file(&machine.root, &id);
    let connection = Connection { path, file };
    written(&connection, &text, "successfully added.")
}

/// Writes a connection, and says so in these words.
fn written(connection: &Connection, text: &str, words: &str) -> Answer {
    match write(&connection.path, text) {
        Ok(()) if words.is_empty() => Answer::ok(),
        Ok(()) => Answer::out(format!("Connection '{}' ({}) {words}\n", connection.id(), connection.uuid())),
        Err(error) => Answer::fails(1, format!("Error: cannot write {}: {error}\n", connection.path.display())),
    }
}

fn modify(call: &Call, found: &Connection, words: &[&str]) -> Result<String, Answer> {
    offline(call, Some(&found.path), &[&["modify"], words].concat())
}

/// What `nmcli connection edit` is told on its standard input: `set`, `print`, `save`.
fn edit(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
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
                let Answer::Said { code: 0, out: said, .. } = saved else {
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
    wanted.map(|(name, value)| Style::default().line(&name, &value)).collect()
}

/// The properties of a setting, as the image's nmcli knows them: it names them where one is wrong.
fn supported(call: &Call, kind: &str, setting: &str) -> String {
    let wrong = format!("{setting}.pichroot");
    let base = ["add", "type", kind, "con-name", "x", "ifname", "x"];
    let more: &[&str] = if kind == "wifi" { &["ssid", "x"] } else { &[] };
    let Err(Answer::Said { err, .. }) = offline(call, None, &[&base[..], more, &[&wrong, "x"]].concat()) else {
        return String::new();
    };
    let said = String::from_utf8_lossy(&err).into_owned();
    let names = said.split_once("not among [").and_then(|(_, rest)| rest.split(']').next());
    let names = names.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| Style::default().line(&format!("{setting}.{name}"), "--")).collect()
}

fn delete(machine: &mut Machine, words: &[&str]) -> Answer {
    let (mut out, mut missing) = (String::new(), Vec::new());
    let mut words = words;
    while let Some(name) = words.first() {
        match find(machine, words) {
            Some((found, rest)) => {
                if let Err(error) = std::fs::remove_file(&found.path) {
                    return Answer::fails(1, format!("Error: Connection deletion failed: {error}\n"));
                }
                out += &format!("Connection '{}' ({}) successfully deleted.\n", found.id(), found.uuid());
                words = rest;
            }
            None => {
                if !["id", "uuid", "path"].contains(name) {
                    missing.push(format!("'{name}'"));
                }
                words = &words[1..];
            }
        }
    }
    if missing.is_empty() {
        return Answer::out(out);
    }
    let each: String = missing.iter().map(|name| format!("Error: unknown connection {name}.\n")).collect();
    let err = format!("{each}Error: cannot delete unknown connection(s): {}.\n", missing.join(", "));
    Answer::Said {
        code: 10,
        out: out.into_bytes(),
        err: err.into_bytes(),
    }
}

fn clone(machine: &mut Machine, words: &[&str]) -> Answer {
    let Some((found, rest)) = find(machine, words) else {
        return unknown(words);
    };
    let Some(name) = rest.first() else {
        return Answer::fails(2, "Error: <new name> argument is missing.\n");
    };
    let (text, uuid) = match (super::super::firewall::names::read(&found.path), uuid()) {
        (Some(text), Some(uuid)) => (text, uuid),
        _ => return Answer::fails(1, "Error: the connection cannot be read.\n"),
    };
    let line = |line: &str| match line {
        line if line.starts_with("id=") => format!("id={name}\n"),
        line if line.starts_with("uuid=") => format!("uuid={uuid}\n"),
        line => format!("{line}\n"),
    };
    let text: String = text.lines().map(line).collect();
    let path = new_file(&machine.root, name);
    let done = format!("{} ({}) cloned as {name} ({uuid}).\n", found.id(), found.uuid());
    match write(&path, &text) {
        Ok(()) => Answer::out(done),
        Err(error) => Answer::fails(1, format!("Error: cannot write {}: {error}\n", path.display())),
    }
}

fn uuid() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").ok()?;
    Some(text.trim().to_owned())
}

fn up(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
    let Some((found, _)) = find(machine, words) else {
        return unknown(words);
    };
    let how = match found.is_automatic() {
        true => How::Carried(format!("/{}", found.path.strip_prefix(&machine.root).unwrap_or(&found.path).display())),
        false => How::Unit(call.line()),
    };
    machine.record.put_off(call.line(), how);
    let path = "/org/freedesktop/NetworkManager/ActiveConnection/1";
    Answer::out(format!("Connection successfully activated (D-Bus active path: {path})\n"))
}

/// Which interfaces there will be is not known.
fn devices(style: &Style) -> Answer {
    let heads = ["DEVICE", "TYPE", "STATE", "CONNECTION"];
    Answer::out(style.table(&heads, &[]))
}

fn device(call: &Call, machine: &mut Machine, style: &Style, command: &str, words: &[&str]) -> Answer {
    match (command, words) {
        ("status", _) => devices(style),
        ("show" | "lldp", []) => Answer::ok(),
        ("show", [name, ..]) => Answer::fails(10, format!("Error: Device '{name}' not found.\n")),
        ("wifi", [] | ["list", ..] | ["rescan", ..]) => Answer::ok(),
        ("wifi", ["connect", ssid, more @ ..]) => wifi(call, machine, ssid, more),
        ("reapply" | "connect" | "up", _) => {
            machine.record.put_off(call.line(), How::ByBoot);
            let name = words.last().copied().unwrap_or_default();
            Answer::out(format!("Connection successfully reapplied to device '{name}'.\n"))
        }
        ("set" | "modify" | "disconnect" | "down" | "delete", _) => {
            machine.record.put_off(call.line(), How::Unit(call.line()));
            Answer::ok()
        }
        _ => not_here(call),
    }
}

/// Makes the connection that the daemon would make; the machine connects by itself.
fn wifi(call: &Call, machine: &mut Machine, ssid: &str, more: &[&str]) -> Answer {
    let value = |name: &str| {
        let at = more.iter().position(|word| *word == name)?;
        more.get(at + 1).copied()
    };
    let name = value("name").unwrap_or(ssid);
    let mut words = vec!["type", "wifi", "con-name", name, "ssid", ssid];
    if let Some(interface) = value("ifname") {
        words.extend(["ifname", interface]);
    }
    if let Some(password) = value("password") {
        words.extend(["wifi-sec.key-mgmt", "wpa-psk", "wifi-sec.psk", password]);
    }
    if value("hidden") == Some("yes") {
        words.extend(["wifi.hidden", "yes"]);
    }
    let known = connections(&machine.root).into_iter().find(|connection| connection.is(Some("id"), name));
    let made = match &known {
        None => add(call, machine, &words),
        Some(known) => match modify(call, known, &words[4..]) {
            Ok(text) => written(known, &text, ""),
            Err(answer) => answer,
        },
    };
    let Answer::Said { code: 0, .. } = made else {
        return made;
    };
    let all = connections(&machine.root);
    let Some(found) = all.iter().find(|connection| connection.is(Some("id"), name)) else {
        return not_here(call);
    };
    let file = found.path.strip_prefix(&machine.root).unwrap_or(&found.path);
    // Without what may be a password.
    let what = format!("nmcli device wifi connect {}", quoted(ssid));
    machine.record.put_off(what, How::Carried(format!("/{}", file.display())));
    let interface = value("ifname").unwrap_or("wlan0");
    Answer::out(format!("Device '{interface}' successfully activated with '{}'.\n", found.uuid()))
}

fn general(call: &Call, machine: &mut Machine, style: &Style, words: &[&str]) -> Answer {
    let heads = ["STATE", "CONNECTIVITY", "WIFI-HW", "WIFI", "WWAN-HW", "WWAN"];
    match words {
        [] | ["status" | "s" | "st" | "stat", ..] => {
            let wifi = if radio_is_on(machine, "WirelessEnabled") { "enabled" } else { "disabled" };
            let wwan = if radio_is_on(machine, "WWANEnabled") { "enabled" } else { "disabled" };
            let row = ["connected", "full", "enabled", wifi, "enabled", wwan];
            Answer::out(style.table(&heads, &[row.map(str::to_owned).to_vec()]))
        }
        ["hostname"] => {
            let name = super::super::firewall::names::read(&machine.at("/etc/hostname"));
            Answer::out(name.unwrap_or_default())
        }
        ["hostname", name] => match std::fs::write(machine.at("/etc/hostname"), format!("{name}\n")) {
            Ok(()) => Answer::ok(),
            Err(error) => Answer::fails(1, format!("Error: failed to set hostname: {error}\n")),
        },
        ["reload" | "logging", ..] => {
            machine.record.put_off(call.line(), How::ByBoot);
            Answer::ok()
        }
        _ => not_here(call),
    }
}

fn networking(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
    match words {
        [] => Answer::out(match radio_is_on(machine, "NetworkingEnabled") {
            true => "enabled\n",
            false => "disabled\n",
        }),
        ["on"] => keep(machine, &["NetworkingEnabled"], true),
        ["off"] => keep(machine, &["NetworkingEnabled"], false),
        ["connectivity", ..] => Answer::out("full\n"),
        _ => not_here(call),
    }
}

/// Where the daemon keeps what is switched on.
const STATE: &str = "/var/lib/NetworkManager/NetworkManager.state";

fn radio(machine: &mut Machine, style: &Style, words: &[&str]) -> Answer {
    let keys: &[&str] = match words.first() {
        Some(&("wifi" | "wi" | "w")) => &["WirelessEnabled"],
        Some(&("wwan" | "ww")) => &["WWANEnabled"],
        _ => &["WirelessEnabled", "WWANEnabled"],
    };
    let word = |on: bool| if on { "enabled" } else { "disabled" };
    match words {
        [] | ["all"] => {
            let heads = ["WIFI-HW", "WIFI", "WWAN-HW", "WWAN"];
            let (wifi, wwan) = (radio_is_on(machine, keys[0]), radio_is_on(machine, keys[1]));
            let row = ["enabled", word(wifi), "enabled", word(wwan)];
            Answer::out(style.table(&heads, &[row.map(str::to_owned).to_vec()]))
        }
        [_] => Answer::out(format!("{}\n", word(radio_is_on(machine, keys[0])))),
        [.., "on"] => keep(machine, keys, true),
        [.., "off"] => keep(machine, keys, false),
        _ => Answer::fails(2, "Error: 'radio' command is not valid.\n"),
    }
}

fn radio_is_on(machine: &Machine, key: &str) -> bool {
    let state = super::super::firewall::names::read(&machine.at(STATE)).unwrap_or_default();
    Keyfile::parse(&state).get("main", key) != Some("false")
}

/// Writes what is switched on, where the daemon reads it at its start.
fn keep(machine: &mut Machine, keys: &[&str], on: bool) -> Answer {
    let all = ["NetworkingEnabled", "WirelessEnabled", "WWANEnabled"];
    let line = |key: &&str| {
        let on = if keys.contains(key) { on } else { radio_is_on(machine, key) };
        format!("{key}={on}\n")
    };
    let text = format!("[main]\n{}", all.iter().map(line).collect::<String>());
    let file = machine.at(STATE);
    let folder = file.parent().map(std::fs::create_dir_all);
    match folder.unwrap_or(Ok(())).and_then(|()| std::fs::write(&file, text)) {
        Ok(()) => Answer::ok(),
        Err(error) => Answer::fails(1, format!("Error: cannot write {STATE}: {error}\n")),
    }
}
