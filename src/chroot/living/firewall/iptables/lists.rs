//! Values that are words of a list: states, flags, classes, rates.

use super::values::{Given, number};

/// One of these words.
pub fn list(given: &Given, words: &[&str]) -> Result<String, String> {
    let same = |word: &&&str| word.eq_ignore_ascii_case(given.text);
    let found = words.iter().find(same);
    let wrong = || format!("Bad {} \"{}\"", given.option, given.text);
    found.map(|word| (*word).to_owned()).ok_or_else(wrong)
}

/// Some of these words, in their own order.
fn several(given: &Given, words: &[&str]) -> Result<String, String> {
    let mut found = vec![false; words.len()];
    for one in given.text.split(',') {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case(one));
        let wrong = || format!("Bad {} \"{one}\"", given.option);
        found[at.ok_or_else(wrong)?] = true;
    }
    let chosen = words.iter().zip(found).filter(|(_, found)| *found);
    Ok(chosen.map(|(word, _)| *word).collect::<Vec<_>>().join(","))
}

const STATES: [&str; 7] = [
    "INVALID",
    "NEW",
    "RELATED",
    "ESTABLISHED",
    "UNTRACKED",
    "SNAT",
    "DNAT",
];

/// Of `-m conntrack`.
pub fn connection_states(given: &Given) -> Result<String, String> {
    several(given, &STATES)
}

/// Of `-m state`.
pub fn states(given: &Given) -> Result<String, String> {
    several(given, &STATES[..5]).map_err(|_| format!("Bad state \"{}\"", given.text))
}

/// Of a connection.
pub fn connection_status(given: &Given) -> Result<String, String> {
    let words = ["NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"];
    several(given, &words)
}

/// Where an address belongs.
pub fn address_types(given: &Given) -> Result<String, String> {
    let types = [
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    ];
    several(given, &types).map_err(|_| format!("addrtype: bad type `{}'", given.text))
}

/// Flags of TCP.
pub fn tcp_flags(given: &Given) -> Result<String, String> {
    let flags = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
    match given.text {
        text if text.eq_ignore_ascii_case("NONE") => Ok("NONE".into()),
        text if text.eq_ignore_ascii_case("ALL") => Ok(flags.join(",")),
        text => several(given, &flags).map_err(|_| format!("Unknown TCP flag `{text}'")),
    }
}

/// To whom a packet goes.
pub fn packet_type(given: &Given) -> Result<String, String> {
    let types = ["unicast", "broadcast", "multicast"];
    let given = match given.text {
        "bcast" => "broadcast",
        "mcast" => "multicast",
        "host" => "unicast",
        text => text,
    };
    let found = types.iter().find(|word| word.eq_ignore_ascii_case(given));
    found
        .map(|word| (*word).to_owned())
        .ok_or_else(|| format!("Bad packet type '{given}'"))
}

/// Which addresses or ports of a packet are looked up in a set.
pub fn directions(given: &Given) -> Result<String, String> {
    match given
        .text
        .split(',')
        .all(|one| one == "src" || one == "dst")
    {
        true => Ok(given.text.to_owned()),
        false => Err("You must spefify (the comma separated list of) 'src' or 'dst'.".into()),
    }
}

/// A share of packets.
pub fn probability(given: &Given) -> Result<String, String> {
    let share = given
        .text
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    let wrong = || "statistic: --probability takes a number between 0 and 1".to_owned();
    // The kernel has 31 bits of it.
    let kept = (share.ok_or_else(wrong)? * f64::from(0x8000_0000_u32)).round();
    Ok(format!("{:.11}", kept / f64::from(0x8000_0000_u32)))
}

/// Users or groups by number, name, or a range of numbers.
pub fn owner(given: &Given, file: &str) -> Result<String, String> {
    if let Some(id) = given.names.owner(file, given.text) {
        return Ok(id.to_string());
    }
    let end = |text| number(text).filter(|id| *id < u64::from(u32::MAX));
    let (from, to) = given
        .text
        .split_once('-')
        .unwrap_or((given.text, given.text));
    match (end(from), end(to)) {
        (Some(from), Some(to)) if from == to => Ok(from.to_string()),
        (Some(from), Some(to)) if from < to => Ok(format!("{from}-{to}")),
        _ => Err(format!(
            "owner: Bad value for \"--{}\" option: \"{}\"",
            given.option, given.text
        )),
    }
}

/// How exactly the kernel keeps the time between two, in parts of a second.
const SCALE: u64 = 10_000;
const FINE: u64 = 1_000_000;
const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3600), ("min", 60), ("sec", 1)];

/// So many in a time; the kernel keeps the time between two, so that is what is written.
pub fn rate(given: &Given) -> Result<String, String> {
    scaled(given, SCALE)
}

/// The same for each address, or so many bytes in a second.
pub fn fine_rate(given: &Given) -> Result<String, String> {
    match given.text.ends_with("b/s") {
        true => Ok(given.text.to_owned()),
        false => scaled(given, FINE),
    }
}

fn scaled(given: &Given, scale: u64) -> Result<String, String> {
    let wrong = || format!("bad rate \"{}\"'", given.text);
    let (count, unit) = given.text.split_once('/').unwrap_or((given.text, "s"));
    let unit = unit.to_ascii_lowercase();
    let names = [
        ("second", 1),
        ("minute", 60),
        ("hour", 3600),
        ("day", 86_400),
    ];
    let named = |(name, _): &&(&str, u64)| !unit.is_empty() && name.starts_with(&unit);
    let (_, seconds) = names.iter().find(named).ok_or_else(wrong)?;
    let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
    let count: u64 = digits
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(wrong)?;
    let between = scale * seconds / count;
    if between == 0 {
        return Err(format!("Rate too fast \"{}\"", given.text));
    }
    let fits =
        |unit: u64| between <= unit * scale && unit * scale / between >= unit * scale % between;
    let smaller = UNITS[1..]
        .iter()
        .take_while(|(_, unit)| fits(*unit))
        .count();
    let (name, unit) = UNITS[smaller];
    Ok(format!("{}/{name}", unit * scale / between))
}

/// What tells packets apart.
pub fn hash_mode(given: &Given) -> Result<String, String> {
    several(given, &["srcip", "srcport", "dstip", "dstport"])
}

/// Six bits.
pub fn dscp(given: &Given) -> Result<String, String> {
    let value = number(given.text).filter(|value| *value < 64);
    let wrong = || format!("Invalid dscp `{}'\n", given.text);
    Ok(format!("0x{:02x}", value.ok_or_else(wrong)?))
}

/// The same by name.
pub fn dscp_class(given: &Given) -> Result<String, String> {
    let name = given.text.to_ascii_uppercase();
    let digits: Vec<u32> = name
        .chars()
        .filter_map(|letter| letter.to_digit(10))
        .collect();
    let value = match (&name[..name.len().min(2)], digits.as_slice()) {
        ("BE", []) => Some(0),
        ("EF", []) => Some(0x2e),
        ("CS", [class @ 0..=7]) => Some(class << 3),
        ("AF", [class @ 1..=4, drop @ 1..=3]) => Some((class << 3) | (drop << 1)),
        _ => None,
    };
    let wrong = || format!("Invalid DSCP value `{}'\n", given.text);
    Ok(format!("0x{:02x}", value.ok_or_else(wrong)?))
}

const SERVICES: [(&str, u8); 5] = [
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

/// A type of service by value, value and mask, or name.
pub fn tos(given: &Given) -> Result<String, String> {
    let named = |(name, _): &&(&str, u8)| name.eq_ignore_ascii_case(given.text);
    if let Some((_, value)) = SERVICES.iter().find(named) {
        return Ok(format!("0x{value:02x}/0x3f"));
    }
    let (value, mask) = given.text.split_once('/').unwrap_or((given.text, "0xff"));
    let part = |text| number(text).filter(|value| *value <= 0xff);
    match (part(value), part(mask)) {
        (Some(value), Some(mask)) => Ok(format!("0x{value:02x}/0x{mask:02x}")),
        _ => Err(format!("Symbolic name \"{}\" is unknown", given.text)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::chroot::living::firewall::names::{Family, Names};

    fn given(value: fn(&Given) -> Result<String, String>, text: &str) -> Result<String, String> {
        let names = Names::new(Family::V4, Path::new("/nowhere"), None);
        value(&Given {
            text,
            extension: "x",
            option: "x",
            protocol: None,
            names: &names,
        })
    }

    #[test]
    fn words_are_saved_in_their_own_order() {
        let states = given(connection_states, "established,RELATED,NEW");
        assert_eq!(states.unwrap(), "NEW,RELATED,ESTABLISHED");
        assert_eq!(given(states_of, "FOO").unwrap_err(), "Bad state \"FOO\"");
        assert_eq!(given(tcp_flags, "ACK,SYN").unwrap(), "SYN,ACK");
    }

    fn states_of(given: &Given) -> Result<String, String> {
        states(given)
    }

    #[test]
    fn rates_are_saved_by_the_time_between_two() {
        for (typed, saved) in [
            ("3/minute", "3/min"),
            ("3", "3/sec"),
            ("60/m", "1/sec"),
            ("1000/day", "1000/day"),
            ("24/day", "1/hour"),
        ] {
            assert_eq!(given(rate, typed).unwrap(), saved);
        }
        assert_eq!(given(rate, "0/s").unwrap_err(), "bad rate \"0/s\"'");
    }
}
