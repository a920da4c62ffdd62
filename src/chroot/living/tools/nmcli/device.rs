//! The rest of nmcli: devices, radios, and what the daemon itself is.

use super::{
    super::super::{
        call::{Answer, Call, quoted},
        firewall::names::read,
        machine::Machine,
        networkmanager::{Keyfile, connections},
        record::How,
    },
    connection::{add, modify, written},
    style::{Style, not_here},
};

/// Which interfaces there will be is not known.
pub fn devices(style: &Style) -> Answer {
    let heads = ["DEVICE", "TYPE", "STATE", "CONNECTION"];
    Answer::out(style.table(&heads, &[]))
}

/// Does what is asked of devices.
pub fn device(
    call: &Call,
    machine: &mut Machine,
    style: &Style,
    command: &str,
    words: &[&str],
) -> Answer {
    match (command, words) {
        ("status", _) => devices(style),
        ("show" | "lldp", []) => Answer::ok(),
        ("show", [name, ..]) => Answer::fails(10, format!("Error: Device '{name}' not found.\n")),
        ("wifi", [] | ["list", ..] | ["rescan", ..]) => Answer::ok(),
        ("wifi", ["connect", ssid, more @ ..]) => wifi(call, machine, ssid, more),
        ("reapply" | "connect" | "up", _) => {
            machine.record.put_off(call.line(), How::ByBoot);
            let name = words.last().copied().unwrap_or_default();
            Answer::out(format!(
                "Connection successfully reapplied to device '{name}'.\n"
            ))
        }
        ("set" | "modify" | "disconnect" | "down" | "delete", _) => {
            machine.put_off_to_unit(&call.line(), call.line())
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
    let known = connections(&machine.root)
        .into_iter()
        .find(|connection| connection.is(Some("id"), name));
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
    let Some(found) = all
        .iter()
        .find(|connection| connection.is(Some("id"), name))
    else {
        return not_here(call);
    };
    let file = found
        .path
        .strip_prefix(&machine.root)
        .unwrap_or(&found.path);
    // Without what may be a password.
    let what = format!("nmcli device wifi connect {}", quoted(ssid));
    machine
        .record
        .put_off(what, How::Carried(format!("/{}", file.display())));
    let interface = value("ifname").unwrap_or("wlan0");
    Answer::out(format!(
        "Device '{interface}' successfully activated with '{}'.\n",
        found.uuid()
    ))
}

/// Does what is asked of the daemon.
pub fn general(call: &Call, machine: &mut Machine, style: &Style, words: &[&str]) -> Answer {
    let heads = [
        "STATE",
        "CONNECTIVITY",
        "WIFI-HW",
        "WIFI",
        "WWAN-HW",
        "WWAN",
    ];
    match words {
        [] | ["status" | "s" | "st" | "stat", ..] => {
            let wifi = if radio_is_on(machine, "WirelessEnabled") {
                "enabled"
            } else {
                "disabled"
            };
            let wwan = if radio_is_on(machine, "WWANEnabled") {
                "enabled"
            } else {
                "disabled"
            };
            let row = ["connected", "full", "enabled", wifi, "enabled", wwan];
            Answer::out(style.table(&heads, &[row.map(str::to_owned).to_vec()]))
        }
        ["hostname"] => {
            let name = read(&machine.at("/etc/hostname"));
            Answer::out(name.unwrap_or_default())
        }
        ["hostname", name] => {
            match std::fs::write(machine.at("/etc/hostname"), format!("{name}\n")) {
                Ok(()) => Answer::ok(),
                Err(error) => Answer::fails(1, format!("Error: failed to set hostname: {error}\n")),
            }
        }
        ["reload" | "logging", ..] => {
            machine.record.put_off(call.line(), How::ByBoot);
            Answer::ok()
        }
        _ => not_here(call),
    }
}

/// Whether there is to be a network at all.
pub fn networking(call: &Call, machine: &mut Machine, words: &[&str]) -> Answer {
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

/// Which radios are on.
pub fn radio(machine: &mut Machine, style: &Style, words: &[&str]) -> Answer {
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
    let state = read(&machine.at(STATE)).unwrap_or_default();
    Keyfile::parse(&state).get("main", key) != Some("false")
}

/// Writes what is switched on, where the daemon reads it at its start.
fn keep(machine: &mut Machine, keys: &[&str], on: bool) -> Answer {
    let all = ["NetworkingEnabled", "WirelessEnabled", "WWANEnabled"];
    let line = |key: &&str| {
        let on = if keys.contains(key) {
            on
        } else {
            radio_is_on(machine, key)
        };
        format!("{key}={on}\n")
    };
    let text = format!("[main]\n{}", all.iter().map(line).collect::<String>());
    let file = machine.at(STATE);
    let folder = file.parent().map(std::fs::create_dir_all);
    match folder
        .unwrap_or(Ok(()))
        .and_then(|()| std::fs::write(&file, text))
    {
        Ok(()) => Answer::ok(),
        Err(error) => Answer::fails(1, format!("Error: cannot write {STATE}: {error}\n")),
    }
}
