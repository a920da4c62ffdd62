//! `ip`: what it changes is put off to the first boot, and shown from then on.

#[cfg(test)]
mod tests;

mod shown;

use super::super::{
    call::{Answer, Call},
    machine::Machine,
    network::Link,
    tool::Tools,
};
use shown::{Style, addresses};

/// What is answered here.
pub const TOOLS: Tools = &[("ip", ip)];

const OBJECTS: [&str; 24] = [
    "address",
    "addrlabel",
    "fou",
    "help",
    "ila",
    "ioam",
    "l2tp",
    "link",
    "macsec",
    "maddress",
    "monitor",
    "mptcp",
    "mroute",
    "mrule",
    "neighbor",
    "neighbour",
    "netconf",
    "netns",
    "nexthop",
    "ntable",
    "route",
    "rule",
    "tunnel",
    "xfrm",
];

fn ip(call: &Call, machine: &mut Machine) -> Answer {
    let mut style = Style::default();
    let mut words = call.args.iter().map(String::as_str);
    let mut rest: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word.trim_start_matches('-') {
            option if !word.starts_with('-') => {
                rest.push(option);
                rest.extend(words.by_ref());
            }
            "V" | "Version" | "h" | "help" => return Answer::Pass,
            "4" => style.family = Some(4),
            "6" => style.family = Some(6),
            "f" | "family" => {
                style.family = match words.next() {
                    Some("inet") => Some(4),
                    Some("inet6") => Some(6),
                    _ => None,
                }
            }
            "o" | "oneline" => style.one_line = true,
            "br" | "brief" => style.brief = true,
            "j" | "json" => style.json = true,
            "n" | "netns" | "b" | "batch" | "force" | "a" | "all" => return put_off(call, machine),
            "rc" | "rcvbuf" | "l" | "loops" => drop(words.next()),
            _ => {}
        }
    }
    let Some((object, words)) = rest.split_first() else {
        return Answer::Pass;
    };
    let begins = |one: &&&str| one.starts_with(object);
    let object = match *object {
        // What `a`, `l`, `n` and `r` are short for.
        "r" | "ro" => "route",
        "l" => "link",
        "n" => "neighbour",
        _ => OBJECTS.iter().find(begins).copied().unwrap_or_default(),
    };
    let command = words.first().copied().unwrap_or("show");
    let rest = words.get(1..).unwrap_or_default();
    let reads = [
        "show", "list", "lst", "ls", "sh", "s", "l", "dev", "up", "type", "to", "table",
    ];
    match (object, command) {
        ("" | "help", _) => Answer::Pass,
        (_, "help") => Answer::Pass,
        ("address" | "link", command) if reads.contains(&command) || words.is_empty() => {
            let rest = if ["dev", "up", "type"].contains(&command) {
                words
            } else {
                rest
            };
            show(machine, &style, object, rest)
        }
        ("link", command) => link(call, machine, command, rest),
        ("address", command) => address(call, machine, command, rest),
        ("route", "get") => Answer::fails(2, "RTNETLINK answers: Network is unreachable\n"),
        ("route" | "rule", command) if reads.contains(&command) => {
            let network = &machine.network;
            let lines = if object == "route" {
                &network.routes
            } else {
                &network.rules
            };
            match style.json {
                true => Answer::out("[ ]\n"),
                false => Answer::out(
                    lines
                        .iter()
                        .map(|line| format!("{line} \n"))
                        .collect::<String>(),
                ),
            }
        }
        ("route" | "rule", command) => route(call, machine, object, command, rest),
        ("monitor", _) => refused(call),
        ("netns", "exec") => refused(call),
        (_, command) if reads.contains(&command) => match style.json {
            true => Answer::out("[ ]\n"),
            false => Answer::ok(),
        },
        _ => put_off(call, machine),
    }
}

fn refused(call: &Call) -> Answer {
    Answer::refused(
        &format!("'{}' needs a running machine", call.line()),
        "interfaces are there from the first boot on",
    )
}

/// The unit of the first boot does it.
pub fn put_off(call: &Call, machine: &mut Machine) -> Answer {
    let line = call.line();
    if !call.is_root() {
        return Answer::fails(2, "RTNETLINK answers: Operation not permitted\n");
    }
    // Not to be found at the first boot.
    if call
        .args
        .iter()
        .any(|word| word.starts_with("/dev/fd/") || word.starts_with("/proc/"))
    {
        return refused(call);
    }
    machine.put_off_to_unit(&line.clone(), line)
}

fn show(machine: &mut Machine, style: &Style, object: &str, words: &[&str]) -> Answer {
    let root = machine.root.clone();
    let (mut name, mut only_up, mut kind) = (None, false, None);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "dev" => name = words.next(),
            "up" => only_up = true,
            "type" => kind = words.next(),
            "scope" | "to" | "label" | "master" | "vrf" | "group" => drop(words.next()),
            "dynamic" | "permanent" | "primary" | "secondary" => {}
            word => name = Some(word),
        }
    }
    if let Some(name) = name
        && machine.network.link(&root, name).is_none()
    {
        return Answer::fails(1, format!("Device \"{name}\" does not exist.\n"));
    }
    let numbered = machine.network.links(&root).iter().zip(1..);
    let wanted = numbered.filter(|(link, _)| {
        name.is_none_or(|name| link.name == name)
            && (!only_up || link.up)
            && kind.is_none_or(|kind| link.kind.as_deref() == Some(kind))
    });
    let wanted: Vec<(&Link, usize)> = wanted.collect();
    Answer::out(style.print(&wanted, object == "address"))
}

fn no_device(name: &str) -> Answer {
    Answer::fails(1, format!("Cannot find device \"{name}\"\n"))
}

fn exists() -> Answer {
    Answer::fails(2, "RTNETLINK answers: File exists\n")
}

/// What comes behind a word.
fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

fn link(call: &Call, machine: &mut Machine, command: &str, words: &[&str]) -> Answer {
    let root = machine.root.clone();
    let named =
        after(words, "dev").or_else(|| after(words, "name").filter(|_| command.starts_with('a')));
    let skipped = ["link", "dev", "name"];
    let first = match words {
        ["link", _, "name", name, ..] | ["link", _, name, ..] => Some(*name),
        [name, ..] if !skipped.contains(name) => Some(*name),
        _ => None,
    };
    let Some(name) = named.or(first) else {
        return put_off(call, machine);
    };
    match command {
        "add" | "a" | "replace" => {
            if command != "replace" && machine.network.link(&root, name).is_some() {
                return exists();
            }
            let answer = put_off(call, machine);
            if answer == Answer::ok() {
                machine
                    .network
                    .add(&root, Link::new(name, after(words, "type")));
            }
            answer
        }
        "delete" | "del" | "d" => {
            if machine.network.link(&root, name).is_none() {
                return no_device(name);
            }
            let answer = put_off(call, machine);
            if answer == Answer::ok() {
                machine
                    .network
                    .links(&root)
                    .retain(|link| link.name != name);
            }
            answer
        }
        _ => {
            let answer = put_off(call, machine);
            if let (Answer::Said { code: 0, .. }, Some(link)) =
                (&answer, machine.network.link(&root, name))
            {
                for (at, word) in words.iter().enumerate().skip(1) {
                    let next = words.get(at + 1).copied().unwrap_or_default();
                    match *word {
                        "up" => link.up = true,
                        "down" => link.up = false,
                        "mtu" => link.mtu = next.parse().unwrap_or(link.mtu),
                        "name" => next.clone_into(&mut link.name),
                        _ => {}
                    }
                }
            }
            answer
        }
    }
}

fn address(call: &Call, machine: &mut Machine, command: &str, words: &[&str]) -> Answer {
    let root = machine.root.clone();
    let (Some(address), name) = (words.first(), after(words, "dev")) else {
        return put_off(call, machine);
    };
    let Some(name) = name else {
        return match command {
            "flush" | "f" => put_off(call, machine),
            _ => Answer::fails(
                255,
                "Not enough information: \"dev\" argument is required.\n",
            ),
        };
    };
    let address = match (address.contains('/'), address.contains(':')) {
        (true, _) => (*address).to_owned(),
        (_, true) => format!("{address}/128"),
        _ => format!("{address}/32"),
    };
    let there = machine
        .network
        .link(&root, name)
        .is_some_and(|link| link.addresses.contains(&address));
    match command {
        "add" | "a" if there => return exists(),
        "delete" | "del" | "d" if !there => {
            return Answer::fails(2, "RTNETLINK answers: Cannot assign requested address\n");
        }
        _ => {}
    }
    let answer = put_off(call, machine);
    let done = answer == Answer::ok();
    // A name that is not known is an interface of the machine all the same.
    if let Some(link) = machine.network.link(&root, name).filter(|_| done) {
        match command {
            "add" | "a" | "replace" | "change" => {
                if !there && addresses(link, None).count() < 1000 {
                    link.addresses.push(address);
                }
            }
            "flush" | "f" => link.addresses.clear(),
            _ => link.addresses.retain(|other| *other != address),
        }
    }
    answer
}

fn route(
    call: &Call,
    machine: &mut Machine,
    object: &str,
    command: &str,
    words: &[&str],
) -> Answer {
    let line = words.join(" ");
    let routes = object == "route";
    let network = &machine.network;
    let there = if routes {
        &network.routes
    } else {
        &network.rules
    }
    .contains(&line);
    match command {
        "add" | "a" | "append" if there => return exists(),
        "get" => return Answer::fails(2, "RTNETLINK answers: Network is unreachable\n"),
        _ => {}
    }
    let answer = put_off(call, machine);
    if answer == Answer::ok() {
        let network = &mut machine.network;
        let lines = if routes {
            &mut network.routes
        } else {
            &mut network.rules
        };
        match command {
            "delete" | "del" | "d" => lines.retain(|other| *other != line),
            "flush" => lines.clear(),
            _ if !there && lines.len() < 1000 => lines.push(line),
            _ => {}
        }
    }
    answer
}
