//! Protocols by name and number.

use super::{super::names::Names, values};

/// Those that iptables knows by itself.
const KNOWN: [(&str, u8); 12] = [
    ("tcp", 6),
    ("sctp", 132),
    ("udp", 17),
    ("udplite", 136),
    ("icmp", 1),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("all", 0),
];

/// The number of a protocol, given by name or number.
pub fn number(text: &str, names: &Names) -> Result<u8, String> {
    if let Some(number) = values::number(text) {
        return u8::try_from(number).map_err(|_| unknown(text));
    }
    let known = KNOWN.iter().find(|(name, _)| *name == text);
    let number = known
        .map(|(_, number)| *number)
        .or_else(|| names.protocol(text));
    number.ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> String {
    format!("unknown protocol \"{text}\" specified")
}

/// How a protocol is saved: by name, where it has one.
pub fn saved(number: u8, names: &Names) -> String {
    let own = match number {
        58 => Some("ipv6-icmp"),
        135 => None,
        _ => KNOWN
            .iter()
            .find(|(_, of)| *of == number)
            .map(|(name, _)| *name),
    };
    match own {
        Some(name) => name.to_owned(),
        None => names
            .protocol_of(number)
            .unwrap_or_else(|| number.to_string()),
    }
}

/// The match that comes with a protocol, for options such as `--dport`.
pub fn match_of(saved: &str) -> &str {
    match saved {
        "ipv6-icmp" => "icmp6",
        other => other,
    }
}
