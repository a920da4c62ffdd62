//! Types of ICMP by their names.

use super::values::{Given, number};

/// A name, its type, and its code where it has one.
type Named = (&'static str, u8, Option<u8>);

const V4: &[Named] = &[
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)),
    ("TOS-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

const V6: &[Named] = &[
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("pong", 129, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

/// Of IPv4, with `any`.
pub fn v4(given: &Given) -> Result<String, String> {
    match "any".eq_ignore_ascii_case(given.text) || given.text == "255" {
        true => Ok("any".into()),
        false => saved(given, V4, "ICMP"),
    }
}

/// Of IPv6.
pub fn v6(given: &Given) -> Result<String, String> {
    saved(given, V6, "ICMPv6")
}

/// The name that `iptables -L` shows for `type` or `type/code` of IPv4 or IPv6.
pub fn name_of(saved: &str, v6: bool) -> Option<&'static str> {
    let (kind, code) = saved.split_once('/').unwrap_or((saved, ""));
    let (kind, code): (u8, Option<u8>) = (kind.parse().ok()?, code.parse().ok());
    let table = if v6 { V6 } else { V4 };
    let found = table
        .iter()
        .find(|(_, of, its)| (*of, *its) == (kind, code));
    found.map(|(name, ..)| *name)
}

fn saved(given: &Given, table: &[Named], kind: &str) -> Result<String, String> {
    let typed = given.text.to_ascii_lowercase();
    let begins = |(name, ..): &&Named| name.to_ascii_lowercase().starts_with(&typed);
    let mut found = table.iter().filter(begins);
    if let Some(first) = found.next() {
        let (name, of, code) = first;
        let exact = name.len() == typed.len();
        if let Some((other, ..)) = found.next().filter(|_| !exact) {
            return Err(format!(
                "Ambiguous {kind} type `{}': `{name}' or `{other}'?",
                given.text
            ));
        }
        return Ok(match code {
            Some(code) => format!("{of}/{code}"),
            None => of.to_string(),
        });
    }
    let (of, code) = given
        .text
        .split_once('/')
        .map_or((given.text, None), |(of, code)| (of, Some(code)));
    let part = |text: &str, what: &str| {
        let value = number(text).filter(|value| *value <= 255);
        value.ok_or_else(|| format!("Invalid {kind} {what} `{text}'\n"))
    };
    Ok(match code {
        Some(code) => format!("{}/{}", part(of, "type")?, part(code, "code")?),
        None => part(of, "type")?.to_string(),
    })
}
