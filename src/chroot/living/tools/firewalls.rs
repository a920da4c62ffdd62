//! Programs beside iptables and nft that set up the machine's firewall.

use super::{
    super::{
        call::{Answer, Call, quoted},
        firewall::{Kind, boot::enabled},
        machine::Machine,
        tool::Tools,
    },
    ip::put_off,
    network::{about_itself, by_boot},
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("arptables", bridge),
    ("arptables-nft", bridge),
    ("arptables-nft-restore", bridge_restore),
    ("arptables-restore", bridge_restore),
    ("ebtables", bridge),
    ("ebtables-nft", bridge),
    ("ebtables-nft-restore", bridge_restore),
    ("ebtables-restore", bridge_restore),
    ("fail2ban-client", fail2ban_client),
    ("firewall-cmd", firewall_cmd),
    ("ufw", ufw),
];

/// Rules of bridges and of ARP are not kept here: the first boot makes them.
fn bridge(call: &Call, machine: &mut Machine) -> Answer {
    let reads = ["-L", "--list", "-S", "--list-rules", "-C", "--check"];
    let reads = call.args.iter().any(|word| reads.contains(&word.as_str()));
    let changed = |machine: &Machine| {
        let family = &call.name()[..call.name().len().min(8)];
        machine
            .record
            .all()
            .iter()
            .any(|step| step.what.starts_with(family))
    };
    match reads {
        _ if about_itself(call) || call.args.is_empty() => Answer::Pass,
        false => put_off(call, machine),
        true if changed(machine) => Answer::refused(
            &format!(
                "'{}' needs a running machine: its rules are made at the first boot",
                call.line()
            ),
            "put them into a file that the machine loads at boot",
        ),
        true if call
            .args
            .iter()
            .any(|word| word == "-C" || word == "--check") =>
        {
            Answer::fails(1, "")
        }
        true => Answer::ok(),
    }
}

fn bridge_restore(call: &Call, machine: &mut Machine) -> Answer {
    if !call.is_root() {
        return put_off(call, machine);
    }
    let Some(text) = &call.stdin else {
        return Answer::NeedsInput;
    };
    let text = String::from_utf8_lossy(text);
    let lines = format!("printf %s {} | {}", quoted(&text), call.line());
    machine.put_off_to_unit(&call.line(), lines)
}

fn fail2ban_client(call: &Call, machine: &mut Machine) -> Answer {
    let mut words = call
        .args
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'));
    let on = enabled("fail2ban.service", &machine.root);
    let tests = call
        .args
        .iter()
        .any(|word| ["-t", "--test", "-d", "--dp", "-V", "-h"].contains(&word.as_str()));
    match words.next() {
        _ if tests => Answer::Pass,
        Some("reload" | "restart" | "start" | "unban") if on => {
            // What is wrong in its files is told now, and not at the boot.
            match call.real(&call.program.to_string_lossy(), &["-t"]) {
                Ok(ran) if !ran.status.success() => Answer::Said {
                    code: ran.status.code().unwrap_or(1) as u8,
                    out: ran.stdout,
                    err: ran.stderr,
                },
                _ => by_boot(call, machine, "OK\n"),
            }
        }
        Some("stop") => by_boot(call, machine, "Shutdown successful\n"),
        Some("ping") if on => Answer::out("Server replied: pong\n"),
        Some("set" | "add" | "start" | "restart" | "reload") => put_off(call, machine),
        _ => Answer::Pass,
    }
}

/// What is permanent is in files, which its sister changes without the daemon.
fn firewall_cmd(call: &Call, machine: &mut Machine) -> Answer {
    let on = enabled("firewalld.service", &machine.root);
    let has = |name: &str| call.args.iter().any(|word| word == name);
    if about_itself(call) || call.args.is_empty() {
        return Answer::Pass;
    }
    if has("--state") {
        return match on {
            true => Answer::out("running\n"),
            false => Answer::fails(252, "not running\n"),
        };
    }
    if has("--reload") || has("--complete-reload") || has("--check-config") && on {
        return by_boot(call, machine, "success\n");
    }
    let reads = [
        "--get-",
        "--list-",
        "--query-",
        "--info-",
        "--path-",
        "--check-config",
    ];
    let reads = call
        .args
        .iter()
        .any(|word| reads.iter().any(|read| word.starts_with(read)));
    let permanent = has("--permanent") || has("--set-default-zone") || reads;
    let default_zone = call
        .args
        .iter()
        .any(|word| word.starts_with("--set-default-zone"));
    if !permanent && !default_zone {
        return put_off(call, machine);
    }
    let words = call
        .args
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--permanent");
    let words: Vec<&str> = words.collect();
    match call.real("firewall-offline-cmd", &words) {
        Ok(ran) => Answer::Said {
            code: ran.status.code().unwrap_or(1) as u8,
            out: ran.stdout,
            err: ran.stderr,
        },
        Err(error) => Answer::fails(
            1,
            format!("pichroot: cannot run firewall-offline-cmd: {error}\n"),
        ),
    }
}

/// It runs itself, and asks iptables, which is answered. Here it is only noted what people typed.
fn ufw(call: &Call, machine: &mut Machine) -> Answer {
    let changes = [
        "enable", "disable", "reload", "allow", "deny", "reject", "limit", "delete", "insert",
        "prepend", "route", "default", "logging", "reset", "app",
    ];
    let tries = call.args.iter().any(|word| word == "--dry-run");
    let changes = call
        .args
        .iter()
        .any(|word| changes.contains(&word.to_lowercase().as_str()));
    if changes && !tries {
        machine
            .firewall
            .changed(Kind::Iptables, call, &machine.record);
    }
    Answer::Pass
}
