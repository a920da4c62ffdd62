//! Other programs for network interfaces: what they change is put off.

use std::path::Path;

use super::{
    super::{
        call::{Answer, Call},
        firewall::{boot::enabled, names::read},
        machine::Machine,
        record::How,
        tool::Tools,
    },
    ip::put_off,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("brctl", brctl),
    ("conntrack", conntrack),
    ("dhclient", dhcp_client),
    ("dhcpcd", dhcp_client),
    ("ethtool", ethtool),
    ("hostapd_cli", hostapd_cli),
    ("ifconfig", ifconfig),
    ("ifdown", if_up),
    ("ifreload", if_up),
    ("ifup", if_up),
    ("iw", iw),
    ("netplan", netplan),
    ("nm-online", nm_online),
    ("rfkill", rfkill),
    ("route", route),
    ("tc", tc),
    ("udhcpc", dhcp_client),
    ("wg", wg),
    ("wg-quick", wg_quick),
    ("wpa_cli", wpa_cli),
];

/// Whether the program is only asked about itself.
pub fn about_itself(call: &Call) -> bool {
    let asks = ["--version", "-V", "-v", "--help", "-h", "help"];
    call.args
        .first()
        .is_some_and(|word| asks.contains(&word.as_str()))
}

/// The machine does it at every boot.
pub fn by_boot(call: &Call, machine: &mut Machine, out: &str) -> Answer {
    machine.record.put_off(call.line(), How::ByBoot);
    Answer::out(out)
}

fn words(call: &Call) -> Vec<&str> {
    call.args.iter().map(String::as_str).collect()
}

fn brctl(call: &Call, machine: &mut Machine) -> Answer {
    match call.args.first().map(String::as_str) {
        None => Answer::Pass,
        Some("show") => Answer::out("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"),
        Some(_) if about_itself(call) => Answer::Pass,
        Some(_) => put_off(call, machine),
    }
}

/// After a boot there are no connections.
fn conntrack(call: &Call, machine: &mut Machine) -> Answer {
    match call.args.first().map(String::as_str) {
        Some("-F" | "--flush" | "-D" | "--delete") => by_boot(call, machine, ""),
        Some("-L" | "--dump" | "-C" | "--count" | "-S" | "--stats") => Answer::ok(),
        _ => Answer::Pass,
    }
}

fn dhcp_client(call: &Call, machine: &mut Machine) -> Answer {
    let unit = format!("{}.service", call.name());
    match about_itself(call)
        || call
            .args
            .iter()
            .any(|word| word == "--test" || word == "-T")
    {
        true => Answer::Pass,
        false if enabled(&unit, &machine.root) => by_boot(call, machine, ""),
        false => put_off(call, machine),
    }
}

/// The cards of the build machine are nobody's business.
fn ethtool(call: &Call, machine: &mut Machine) -> Answer {
    let changes = [
        "-s", "-A", "-C", "-G", "-K", "-L", "-N", "-U", "-X", "-E", "-f", "-r", "-W",
    ];
    let changes = |word: &String| {
        let long = [
            "--set-",
            "--change",
            "--pause",
            "--coalesce",
            "--config",
            "--offload",
            "--features",
        ];
        changes.contains(&word.as_str()) || long.iter().any(|long| word.starts_with(long))
    };
    match call.args.first() {
        Some(first) if changes(first) => put_off(call, machine),
        _ if about_itself(call) || call.args.is_empty() => Answer::Pass,
        _ => Answer::fails(75, "netlink error: No such device\nNo data available\n"),
    }
}

fn hostapd_cli(call: &Call, machine: &mut Machine) -> Answer {
    let reloads = ["reload", "reconfigure", "enable"];
    let last = call
        .args
        .last()
        .is_some_and(|word| reloads.contains(&word.as_str()));
    match last && enabled("hostapd.service", &machine.root) {
        true => by_boot(call, machine, "OK\n"),
        false => Answer::Pass,
    }
}

fn ifconfig(call: &Call, machine: &mut Machine) -> Answer {
    let root = machine.root.clone();
    let words: Vec<&str> = words(call)
        .into_iter()
        .filter(|word| !["-a", "-s", "-v"].contains(word))
        .collect();
    if about_itself(call) {
        return Answer::Pass;
    }
    match words.as_slice() {
        [] => {
            let links = machine.network.links(&root).iter();
            Answer::out(
                links
                    .map(|link| interface(&link.name, link.mtu, &link.addresses))
                    .collect::<String>(),
            )
        }
        [name] => match machine.network.link(&root, name) {
            Some(link) => Answer::out(interface(&link.name, link.mtu, &link.addresses)),
            None => Answer::fails(
                1,
                format!("{name}: error fetching interface information: Device not found\n"),
            ),
        },
        _ => put_off(call, machine),
    }
}

fn interface(name: &str, mtu: u32, addresses: &[String]) -> String {
    let flags = if name == "lo" {
        "73<UP,LOOPBACK,RUNNING>"
    } else {
        "4098<BROADCAST,MULTICAST>"
    };
    let mut out = format!("{name}: flags={flags}  mtu {mtu}\n");
    for address in addresses {
        let (address, length) = address.split_once('/').unwrap_or((address, ""));
        out += &match address.contains(':') {
            true => format!("        inet6 {address}  prefixlen {length}\n"),
            false => format!("        inet {address}\n"),
        };
    }
    out + "\n"
}

/// What is brought up at every boot is so anyway; taking down what comes up again is nothing.
fn if_up(call: &Call, machine: &mut Machine) -> Answer {
    let named: Vec<&str> = words(call)
        .into_iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    if about_itself(call)
        || call
            .args
            .iter()
            .any(|word| ["-n", "--no-act", "-s", "--syntax-check"].contains(&word.as_str()))
    {
        return Answer::Pass;
    }
    let automatic = named.iter().all(|name| comes_up(name, &machine.root));
    match automatic || call.name() != "ifup" {
        true => by_boot(call, machine, ""),
        false => put_off(call, machine),
    }
}

/// Whether /etc/network/interfaces says so, or what it includes.
fn comes_up(name: &str, root: &Path) -> bool {
    let folder = std::fs::read_dir(root.join("etc/network/interfaces.d"))
        .into_iter()
        .flatten();
    let included = folder.take(1000).flatten().map(|file| file.path());
    let files = std::iter::once(root.join("etc/network/interfaces")).chain(included);
    files.filter_map(|file| read(&file)).any(|text| {
        text.lines().any(|line| {
            let mut words = line.split_whitespace();
            let automatic = words
                .next()
                .is_some_and(|word| word == "auto" || word.starts_with("allow-"));
            automatic && words.any(|word| word == name)
        })
    })
}

fn iw(call: &Call, machine: &mut Machine) -> Answer {
    let changes = [
        "set",
        "add",
        "del",
        "connect",
        "disconnect",
        "join",
        "leave",
    ];
    match call
        .args
        .iter()
        .any(|word| changes.contains(&word.as_str()))
    {
        true => put_off(call, machine),
        false => Answer::Pass,
    }
}

/// Its files are checked by its own generator, which makes what the boot makes.
fn netplan(call: &Call, machine: &mut Machine) -> Answer {
    let command = call.args.iter().find(|word| !word.starts_with('-'));
    match command.map(String::as_str) {
        Some("apply" | "try") => {}
        Some("status") => {
            let hint = "interfaces are there from the first boot on";
            return Answer::refused("'netplan status' needs a running machine", hint);
        }
        _ => return Answer::Pass,
    }
    match call.real(&call.program.to_string_lossy(), &["generate"]) {
        Ok(ran) if ran.status.success() => {
            machine
                .record
                .put_off(call.line(), How::Carried("/etc/netplan".into()));
            Answer::ok()
        }
        Ok(ran) => Answer::Said {
            code: ran.status.code().unwrap_or(1) as u8,
            out: ran.stdout,
            err: ran.stderr,
        },
        Err(error) => Answer::fails(
            1,
            format!("pichroot: cannot run netplan generate: {error}\n"),
        ),
    }
}

/// The network is as it will be.
fn nm_online(call: &Call, _: &mut Machine) -> Answer {
    match about_itself(call) {
        true => Answer::Pass,
        false => Answer::ok(),
    }
}

fn rfkill(call: &Call, machine: &mut Machine) -> Answer {
    match call.args.first().map(String::as_str) {
        Some("block" | "unblock" | "toggle") => put_off(call, machine),
        _ if about_itself(call) => Answer::Pass,
        // Which radios there are, only the machine knows.
        _ => Answer::ok(),
    }
}

fn route(call: &Call, machine: &mut Machine) -> Answer {
    let changes = ["add", "del", "delete", "flush"];
    let head = "Kernel IP routing table\n\
                Destination     Gateway         Genmask         Flags Metric Ref    Use Iface\n";
    match call
        .args
        .iter()
        .any(|word| changes.contains(&word.as_str()))
    {
        true => put_off(call, machine),
        false if about_itself(call) => Answer::Pass,
        false => Answer::out(head),
    }
}

fn tc(call: &Call, machine: &mut Machine) -> Answer {
    let changes = ["add", "del", "delete", "change", "replace", "link"];
    match call
        .args
        .iter()
        .any(|word| changes.contains(&word.as_str()))
    {
        true => put_off(call, machine),
        false
            if call
                .args
                .iter()
                .any(|word| ["show", "ls", "list"].contains(&word.as_str())) =>
        {
            Answer::ok()
        }
        false => Answer::Pass,
    }
}

fn wg(call: &Call, machine: &mut Machine) -> Answer {
    match call.args.first().map(String::as_str) {
        None | Some("show") => Answer::ok(),
        Some("set" | "setconf" | "addconf" | "syncconf") => put_off(call, machine),
        Some("showconf") => Answer::fails(1, "Unable to access interface: No such device\n"),
        // Keys are made without a kernel.
        Some(_) => Answer::Pass,
    }
}

fn wg_quick(call: &Call, machine: &mut Machine) -> Answer {
    let words = words(call);
    let [command @ ("up" | "down"), name, ..] = words.as_slice() else {
        return Answer::Pass;
    };
    let file = match name.contains('/') {
        true => (*name).to_owned(),
        false => format!("/etc/wireguard/{name}.conf"),
    };
    if !machine.at(&file).is_file() {
        return Answer::fails(1, format!("wg-quick: `{file}' does not exist\n"));
    }
    match (
        *command,
        enabled(&format!("wg-quick@{name}.service"), &machine.root),
    ) {
        ("up", true) => {
            machine.record.put_off(call.line(), How::Carried(file));
            Answer::ok()
        }
        ("up", false) => put_off(call, machine),
        // It is not up at the boot, or comes up again.
        _ => by_boot(call, machine, ""),
    }
}

/// Its file is read at every boot.
fn wpa_cli(call: &Call, machine: &mut Machine) -> Answer {
    let reloads = ["reconfigure", "reassociate", "reconnect"];
    match call
        .args
        .last()
        .is_some_and(|word| reloads.contains(&word.as_str()))
    {
        true => by_boot(call, machine, "OK\n"),
        false => Answer::Pass,
    }
}
