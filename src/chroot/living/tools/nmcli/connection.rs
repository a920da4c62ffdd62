//! `nmcli connection`: files, written by the image's own nmcli.

use super::{
    super::super::{
        call::{Answer, Call, quoted},
        firewall::names::read,
        machine::Machine,
        networkmanager::{Connection, Keyfile, connections, lines, new_file, setting, write},
        record::How,
    },
    style::{Style, not_here},
};

/// Does what is asked of connections.
pub fn connection(
    call: &Call,
    machine: &mut Machine,
    style: &Style,
    command: &str,
    words: &[&str],
) -> Answer {
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
        "import" => machine.put_off_to_unit(&call.line(), call.line()),
        "" => Answer::fails(
            2,
            format!(
                "Error: argument '{}' not understood. Try passing --help instead.\n",
                words.join(" ")
            ),
        ),
        _ => not_here(call),
    }
}

/// The connection that words mean, and the words behind it.
pub fn find<'a, 'b>(
    machine: &Machine,
    words: &'a [&'b str],
) -> Option<(Connection, &'a [&'b str])> {
    let (by, words) = match words {
        [by @ ("id" | "uuid" | "path" | "filename"), words @ ..] if !words.is_empty() => {
            (Some(*by), words)
        }
        _ => (None, words),
    };
    let (name, rest) = words.split_first()?;
    let all = connections(&machine.root);
    let found = all.into_iter().find(|connection| connection.is(by, name))?;
    Some((found, rest))
}

/// There is no such connection.
pub fn unknown(words: &[&str]) -> Answer {
    let name = words.last().copied().unwrap_or_default();
    let name = match words {
        ["id" | "uuid" | "path", name, ..] => name,
        [name, ..] => name,
        [] => name,
    };
    Answer::fails(10, format!("Error: unknown connection '{name}'.\n"))
}

fn show(machine: &Machine, style: &Style, words: &[&str]) -> Answer {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| *word != "--active" && *word != "--order")
        .collect();
    if words.is_empty() {
        let row = |connection: &Connection| {
            let path = connection.path.display().to_string();
            let automatic = if connection.is_automatic() {
                "yes"
            } else {
                "no"
            };
            vec![
                connection.id(),
                connection.uuid(),
                match style.terse {
                    true => connection.kind(),
                    false => people(&connection.kind()).to_owned(),
                },
                String::new(),
                automatic.into(),
                "no".into(),
                String::new(),
                path,
            ]
        };
        let rows: Vec<_> = connections(&machine.root).iter().map(row).collect();
        let heads = [
            "NAME",
            "UUID",
            "TYPE",
            "DEVICE",
            "AUTOCONNECT",
            "ACTIVE",
            "STATE",
            "FILENAME",
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

/// A type as it is shown to people.
fn people(kind: &str) -> &str {
    match kind {
        "802-3-ethernet" => "ethernet",
        "802-11-wireless" => "wifi",
        kind => kind,
    }
}

/// All properties of a connection, or those that are wanted.
fn profile(file: &Keyfile, style: &Style) -> String {
    let lines = lines(file, style.secrets);
    let all = style
        .fields
        .iter()
        .flatten()
        .any(|field| field == "all" || field == "profile");
    match style.fields.as_ref().filter(|_| !all) {
        None => lines
            .iter()
            .map(|(name, value)| style.line(name, value))
            .collect(),
        Some(fields) => {
            let mut out = String::new();
            for field in fields {
                let field = field.to_lowercase();
                let (section, property) = field.split_once('.').unwrap_or((&field, ""));
                let field = match property {
                    "" => setting(section).to_owned(),
                    property => format!("{}.{property}", setting(section)),
                };
                let section = format!("{field}.");
                let wanted = lines
                    .iter()
                    .filter(|(name, _)| *name == field || name.starts_with(&section));
                for (name, value) in wanted {
                    out += &style.line(name, value);
                }
            }
            out
        }
    }
}

/// Has the image's nmcli write a connection, from these words and a file that it is to change.
pub fn offline(
    call: &Call,
    from: Option<&std::path::Path>,
    words: &[&str],
) -> Result<String, Answer> {
    let nmcli = call.program.to_string_lossy();
    let command: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let input = from.map_or("/dev/null".into(), |path| path.to_string_lossy());
    let line = format!(
        "{nmcli} --offline connection {} <{}",
        command.join(" "),
        quoted(&input)
    );
    let ran = call.real("/bin/sh", &["-c", &line]);
    let ran =
        ran.map_err(|error| Answer::fails(1, format!("pichroot: cannot run {nmcli}: {error}\n")))?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        _ if said.contains("--offline") && said.contains("not") => Err(Answer::refused(
            "this nmcli cannot write connections without NetworkManager",
            "versions since 1.36 can; older ones need files in /etc/NetworkManager/system-connections",
        )),
        code => Err(Answer::fails(
            code.unwrap_or(1) as u8,
            said.replace("Error writing connection", "Failed to modify connection"),
        )),
    }
}

/// Makes a connection.
pub fn add(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
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
pub fn written(connection: &Connection, text: &str, words: &str) -> Answer {
    match write(&connection.path, text) {
        Ok(()) if words.is_empty() => Answer::ok(),
        Ok(()) => Answer::out(format!(
            "Connection '{}' ({}) {words}\n",
            connection.id(),
            connection.uuid()
        )),
        Err(error) => Answer::fails(
            1,
            format!(
                "Error: cannot write {}: {error}\n",
                connection.path.display()
            ),
        ),
    }
}

/// What a connection is after these words.
pub fn modify(call: &Call, found: &Connection, words: &[&str]) -> Result<String, Answer> {
    offline(call, Some(&found.path), &[&["modify"], words].concat())
}

fn delete(machine: &mut Machine, words: &[&str]) -> Answer {
    let (mut out, mut missing) = (String::new(), Vec::new());
    let mut words = words;
    while let Some(name) = words.first() {
        match find(machine, words) {
            Some((found, rest)) => {
                if let Err(error) = std::fs::remove_file(&found.path) {
                    return Answer::fails(
                        1,
                        format!("Error: Connection deletion failed: {error}\n"),
                    );
                }
                out += &format!(
                    "Connection '{}' ({}) successfully deleted.\n",
                    found.id(),
                    found.uuid()
                );
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
    let each: String = missing
        .iter()
        .map(|name| format!("Error: unknown connection {name}.\n"))
        .collect();
    let err = format!(
        "{each}Error: cannot delete unknown connection(s): {}.\n",
        missing.join(", ")
    );
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
    let (text, uuid) = match (read(&found.path), uuid()) {
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
    let done = format!(
        "{} ({}) cloned as {name} ({uuid}).\n",
        found.id(),
        found.uuid()
    );
    match write(&path, &text) {
        Ok(()) => Answer::out(done),
        Err(error) => Answer::fails(
            1,
            format!("Error: cannot write {}: {error}\n", path.display()),
        ),
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
    if found.is_automatic() {
        let file = found
            .path
            .strip_prefix(&machine.root)
            .unwrap_or(&found.path);
        let file = format!("/{}", file.display());
        machine.record.put_off(call.line(), How::Carried(file));
    } else {
        let put_off = machine.put_off_to_unit(&call.line(), call.line());
        if put_off != Answer::ok() {
            return put_off;
        }
    }
    let path = "/org/freedesktop/NetworkManager/ActiveConnection/1";
    Answer::out(format!(
        "Connection successfully activated (D-Bus active path: {path})\n"
    ))
}
