//! How `ip` prints interfaces. What only their hardware knows is left out.

use serde_json::{Value, json};

use super::super::super::network::Link;

/// What the options ask for.
#[derive(Default)]
pub struct Style {
    /// 4 or 6.
    pub family: Option<u8>,
    /// `-o`.
    pub one_line: bool,
    /// `-br`.
    pub brief: bool,
    /// `-j`.
    pub json: bool,
}

/// The addresses of a family, or all.
pub fn addresses(link: &Link, family: Option<u8>) -> impl Iterator<Item = &str> {
    let of = |address: &str| if address.contains(':') { 6 } else { 4 };
    let all = link.addresses.iter().map(String::as_str);
    all.filter(move |address| family.is_none_or(|family| family == of(address)))
}

impl Style {
    /// These interfaces with their numbers.
    pub fn print(&self, links: &[(&Link, usize)], with_addresses: bool) -> String {
        let shown = links.iter().filter(|(link, _)| {
            !with_addresses
                || self.family.is_none()
                || addresses(link, self.family).next().is_some()
        });
        if self.json {
            let all: Vec<Value> = shown
                .map(|(link, number)| self.object(link, *number, with_addresses))
                .collect();
            return format!("{}\n", Value::Array(all));
        }
        shown
            .map(|(link, number)| self.text(link, *number, with_addresses))
            .collect()
    }

    fn text(&self, link: &Link, number: usize, with_addresses: bool) -> String {
        let name = &link.name;
        if self.brief {
            let mut out = format!("{name:<16} {:<14} ", state(link));
            match with_addresses {
                true => {
                    addresses(link, self.family).for_each(|address| out += &format!("{address} "))
                }
                false => out += &format!("<{}> ", flags(link)),
            }
            return out + "\n";
        }
        if self.one_line && with_addresses {
            let line = |address: &str| {
                format!(
                    "{number}: {name}    {} scope {}\n",
                    inet(address),
                    scope(link, address)
                )
            };
            return addresses(link, self.family).map(line).collect();
        }
        let mut out = format!(
            "{number}: {name}: <{}> mtu {} qdisc {} state {} mode DEFAULT group default qlen 1000\n",
            flags(link),
            link.mtu,
            if link.up { "noqueue" } else { "noop" },
            state(link)
        );
        if with_addresses {
            out = out.replace(" mode DEFAULT", "");
        }
        if name == "lo" {
            out += "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n";
        }
        if with_addresses {
            for address in addresses(link, self.family) {
                out += &format!("    {} scope {}\n", inet(address), scope(link, address));
                out += "       valid_lft forever preferred_lft forever\n";
            }
        }
        match self.one_line {
            true => out.trim_end().replace('\n', "\\") + "\n",
            false => out,
        }
    }

    fn object(&self, link: &Link, number: usize, with_addresses: bool) -> Value {
        let flags: Vec<&str> = flags(link).split(',').collect();
        let mut object = json!({
            "ifindex": number,
            "ifname": link.name,
            "flags": flags,
            "mtu": link.mtu,
            "operstate": state(link),
            "link_type": if link.name == "lo" { "loopback" } else { "ether" },
        });
        if with_addresses {
            let one = |address: &str| {
                let (local, length) = address.split_once('/').unwrap_or((address, "32"));
                json!({
                    "family": if local.contains(':') { "inet6" } else { "inet" },
                    "local": local,
                    "prefixlen": length.parse::<u32>().unwrap_or_default(),
                    "scope": if link.name == "lo" { "host" } else { "global" },
                })
            };
            object["addr_info"] = addresses(link, self.family).map(one).collect();
        }
        object
    }
}

fn flags(link: &Link) -> &'static str {
    match (link.name.as_str(), link.up) {
        ("lo", _) => "LOOPBACK,UP,LOWER_UP",
        (_, true) => "BROADCAST,MULTICAST,UP",
        (_, false) => "BROADCAST,MULTICAST",
    }
}

fn state(link: &Link) -> &'static str {
    match (link.name.as_str(), link.up) {
        ("lo", _) => "UNKNOWN",
        (_, true) => "UP",
        (_, false) => "DOWN",
    }
}

fn inet(address: &str) -> String {
    let family = if address.contains(':') {
        "inet6"
    } else {
        "inet"
    };
    format!("{family} {address}")
}

fn scope(link: &Link, address: &str) -> String {
    match (link.name.as_str(), address.contains(':')) {
        ("lo", true) => "host noprefixroute ".into(),
        ("lo", false) => "host lo".into(),
        (_, true) => "global ".into(),
        (name, false) => format!("global {name}"),
    }
}
