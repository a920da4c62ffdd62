//! Values of targets' options: new addresses and ports, marks, answers, levels.

use super::{
    super::{names::Family, text},
    extension::{About, Part},
    lists::tos,
    values::{Given, address, masked, number, port},
};

/// New addresses with new ports: `a[-b][:port[-port][/port]]`, with IPv6 addresses in brackets before ports.
pub fn nat(given: &Given) -> Result<String, String> {
    let (addresses, ports) = match (given.names.family, given.text.strip_prefix('[')) {
        (Family::V6, Some(rest)) => {
            let wrong = || format!("Invalid address format: \"{}\"", given.text);
            let (addresses, ports) = rest.split_once(']').ok_or_else(wrong)?;
            (addresses, ports.strip_prefix(':'))
        }
        (Family::V6, None) => (given.text, None),
        (Family::V4, _) => match given.text.split_once(':') {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (given.text, None),
        },
    };
    let one = |text| {
        let wrong = |_| format!("Bad IP address \"{text}\"\n");
        address(&Given { text, ..*given }).map_err(wrong)
    };
    let mut saved = match addresses.split_once('-') {
        _ if addresses.is_empty() => String::new(),
        Some((from, to)) if from == to => one(from)?,
        Some((from, to)) => format!("{}-{}", one(from)?, one(to)?),
        None => one(addresses)?,
    };
    let Some(ports) = ports else { return Ok(saved) };
    if given.names.family == Family::V6 {
        saved = format!("[{saved}]");
    }
    let (range, base) = match ports.split_once('/') {
        Some((range, base)) => (range, Some(base)),
        None => (ports, None),
    };
    saved = format!(
        "{saved}:{}",
        port_range(&Given {
            text: range,
            ..*given
        })?
    );
    if let Some(base) = base {
        saved = format!(
            "{saved}/{}",
            port(&Given {
                text: base,
                ..*given
            })?
        );
    }
    Ok(saved)
}

/// One port, by number or name, or `a-b` by numbers.
pub fn port_range(given: &Given) -> Result<String, String> {
    let wrong = |text: &str| format!("Port `{text}' not valid\n");
    let numbered = |text: &str| {
        let port = number(text).filter(|port| *port <= u16::MAX.into());
        port.ok_or_else(|| wrong(text))
    };
    let range = given
        .text
        .split_once('-')
        .filter(|(from, _)| numbered(from).is_ok());
    let Some((from, to)) = range else {
        return port(given).map_err(|_| wrong(given.text));
    };
    let (from, to) = (numbered(from)?, numbered(to)?);
    match from.cmp(&to) {
        std::cmp::Ordering::Greater => Err(format!("Port range `{}' funky\n", given.text)),
        std::cmp::Ordering::Equal => Ok(from.to_string()),
        std::cmp::Ordering::Less => Ok(format!("{from}-{to}")),
    }
}

/// New ports are for protocols that have ports.
pub fn needs_ports(part: &Part, option: &str, about: &About) -> Result<(), String> {
    let with_ports = match (option, about.family()) {
        ("to-ports", _) => part.has("to-ports"),
        (_, Family::V4) => part.value(option).is_some_and(|to| to.contains(':')),
        (_, Family::V6) => part.value(option).is_some_and(|to| to.contains("]:")),
    };
    let known = ["tcp", "udp", "sctp", "dccp", "udplite", "icmp", "ipv6-icmp"];
    match with_ports
        && !about
            .protocol
            .is_some_and(|protocol| known.contains(&protocol))
    {
        true => Err("Need TCP, UDP, SCTP or DCCP with port specification".into()),
        false => Ok(()),
    }
}

/// A value with its mask, which is always written.
pub fn whole_mark(given: &Given) -> Result<String, String> {
    let (value, mask) = masked(given)?;
    Ok(format!("0x{value:x}/0x{mask:x}"))
}

/// A mask of 32 bits.
pub fn mask(given: &Given) -> Result<String, String> {
    masked(given).map(|(value, _)| format!("0x{value:x}"))
}

/// The bits of the value are set, and those of the mask cleared.
pub fn set_mark(given: &Given) -> Result<String, String> {
    let (value, mask) = masked(given)?;
    Ok(format!("0x{value:x}/0x{:x}", value | mask))
}

/// Only these bits stay.
pub fn and_mark(given: &Given) -> Result<String, String> {
    masked(given).map(|(value, _)| format!("0x0/0x{:x}", !value))
}

/// These bits are set.
pub fn or_mark(given: &Given) -> Result<String, String> {
    masked(given).map(|(value, _)| format!("0x{value:x}/0x{value:x}"))
}

/// These bits are turned.
pub fn xor_mark(given: &Given) -> Result<String, String> {
    masked(given).map(|(value, _)| format!("0x{value:x}/0x0"))
}

fn tos_bits(given: &Given) -> Result<u8, String> {
    let value = number(given.text).and_then(|value| u8::try_from(value).ok());
    value.ok_or_else(|| tos(given).err().unwrap_or_default())
}

/// Only these bits of the type of service stay.
pub fn and_tos(given: &Given) -> Result<String, String> {
    tos_bits(given).map(|bits| format!("0x00/0x{:02x}", !bits))
}

/// These bits are set.
pub fn or_tos(given: &Given) -> Result<String, String> {
    tos_bits(given).map(|bits| format!("0x{bits:02x}/0x{bits:02x}"))
}

/// These bits are turned.
pub fn xor_tos(given: &Given) -> Result<String, String> {
    tos_bits(given).map(|bits| format!("0x{bits:02x}/0x00"))
}

/// A class of traffic control.
pub fn class(given: &Given) -> Result<String, String> {
    let part = |text: &str| u16::from_str_radix(text, 16).ok();
    let parts = given
        .text
        .split_once(':')
        .and_then(|(major, minor)| Some((part(major)?, part(minor)?)));
    let wrong = || format!("Bad class value `{}'", given.text);
    parts
        .map(|(major, minor)| format!("{major:04x}:{minor:04x}"))
        .ok_or_else(wrong)
}

/// In front of what is logged.
pub fn log_prefix(given: &Given) -> Result<String, String> {
    match given.text.len() {
        0..=29 if given.text.contains('\n') => Err("Newlines not allowed in --log-prefix".into()),
        0..=29 => Ok(text::saved(given.text)),
        _ => Err("Argument must have a maximum length of 29 characters\n".into()),
    }
}

const LEVELS: [&str; 8] = [
    "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
];

/// How urgent it is, by number or name.
pub fn log_level(given: &Given) -> Result<String, String> {
    let number = number(given.text).filter(|level| *level < 8);
    let typed = given.text.to_ascii_lowercase();
    let named = || match typed.as_str() {
        "panic" => Some(0),
        "err" => Some(3),
        "warn" => Some(4),
        typed => LEVELS
            .iter()
            .position(|level| *level == typed)
            .map(|at| at as u64),
    };
    let wrong = || format!("log level \"{}\" unknown\n", given.text);
    number
        .or_else(named)
        .map(|level| level.to_string())
        .ok_or_else(wrong)
}

/// The name of a level, as `iptables -L` shows it.
pub fn level_name(saved: &str) -> Option<&'static str> {
    LEVELS.get(saved.parse::<usize>().ok()?).copied()
}

const REJECTS_V4: &[(&str, &str)] = &[
    ("icmp-net-unreachable", "net-unreach"),
    ("icmp-host-unreachable", "host-unreach"),
    ("icmp-proto-unreachable", "proto-unreach"),
    ("icmp-port-unreachable", "port-unreach"),
    ("icmp-net-prohibited", "net-prohib"),
    ("icmp-host-prohibited", "host-prohib"),
    ("tcp-reset", "tcp-rst"),
    ("icmp-admin-prohibited", "admin-prohib"),
];

const REJECTS_V6: &[(&str, &str)] = &[
    ("icmp6-no-route", "no-route"),
    ("icmp6-adm-prohibited", "adm-prohibited"),
    ("icmp6-addr-unreachable", "addr-unreach"),
    ("icmp6-port-unreachable", "port-unreach"),
    ("tcp-reset", "tcp-reset"),
    ("icmp6-policy-fail", "policy-fail"),
    ("icmp6-reject-route", "reject-route"),
];

/// What the sender is told, by its name or the beginning of it.
pub fn reject(given: &Given) -> Result<String, String> {
    let table = match given.names.family {
        Family::V4 => REJECTS_V4,
        Family::V6 => REJECTS_V6,
    };
    let typed = given.text.to_ascii_lowercase();
    let begins =
        |(name, short): &&(&str, &str)| name.starts_with(&typed) || short.starts_with(&typed);
    let found = table.iter().find(begins);
    let wrong = || format!("unknown reject type \"{}\"", given.text);
    found.map(|(name, _)| (*name).to_owned()).ok_or_else(wrong)
}
