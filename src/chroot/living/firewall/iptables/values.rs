//! Values of options, from how people write them to how `iptables-save` does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::{
    names::{Family, Names},
    text,
};

/// A value and where it is.
pub struct Given<'a> {
    /// As it was typed.
    pub text: &'a str,
    /// The extension's name.
    pub extension: &'a str,
    /// The option's name, without dashes.
    pub option: &'a str,
    /// The protocol that the rule is for.
    pub protocol: Option<&'a str>,
    /// Names for numbers.
    pub names: &'a Names<'a>,
}

/// How a value is read: what is saved of it, or what the program says.
pub type Value = fn(&Given) -> Result<String, String>;

impl Given<'_> {
    fn bad(&self, least: u64, most: u64) -> String {
        let Given {
            extension, option, ..
        } = self;
        format!(
            "{extension}: bad value for option \"--{option}\", or out of range ({least}-{most}).\n"
        )
    }

    fn with<'b>(&'b self, text: &'b str) -> Given<'b> {
        Given { text, ..*self }
    }
}

/// A number as C's strtoul reads it, with `0x` and a leading zero.
pub fn number(text: &str) -> Option<u64> {
    let all = |text: &str, radix| match text.starts_with('+') {
        true => None,
        false => u64::from_str_radix(text, radix).ok(),
    };
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return all(hex, 16);
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => all(octal, 8),
        _ => all(text, 10),
    }
}

fn up_to(given: &Given, most: u64) -> Result<u64, String> {
    let value = number(given.text).filter(|value| *value <= most);
    value.ok_or_else(|| given.bad(0, most))
}

/// 0 to 255.
pub fn byte(given: &Given) -> Result<String, String> {
    up_to(given, u8::MAX.into()).map(|value| value.to_string())
}

/// 1 to 255.
pub fn some_byte(given: &Given) -> Result<String, String> {
    match number(given.text) {
        Some(value @ 1..=255) => Ok(value.to_string()),
        _ => Err(given.bad(1, 255)),
    }
}

/// 0 to 65535.
pub fn short(given: &Given) -> Result<String, String> {
    up_to(given, u16::MAX.into()).map(|value| value.to_string())
}

/// 32 bits.
pub fn long(given: &Given) -> Result<String, String> {
    up_to(given, u32::MAX.into()).map(|value| value.to_string())
}

/// 64 bits.
pub fn longer(given: &Given) -> Result<String, String> {
    up_to(given, u64::MAX).map(|value| value.to_string())
}

/// A range `a:b` of numbers; `a` alone where both are the same.
fn range(given: &Given, most: u64) -> Result<String, String> {
    let Some((from, to)) = given.text.split_once(':') else {
        return up_to(given, most).map(|value| value.to_string());
    };
    let end = |text: &str, default| match text {
        "" => Ok(default),
        text => up_to(&given.with(text), most).map_err(|_| given.bad(0, most)),
    };
    let (from, to) = (end(from, 0)?, end(to, most)?);
    match from.cmp(&to) {
        std::cmp::Ordering::Greater => Err(given.bad(0, most)),
        std::cmp::Ordering::Equal => Ok(from.to_string()),
        std::cmp::Ordering::Less => Ok(format!("{from}:{to}")),
    }
}

/// A range of bytes.
pub fn bytes(given: &Given) -> Result<String, String> {
    range(given, u8::MAX.into())
}

/// A range of 16 bits.
pub fn shorts(given: &Given) -> Result<String, String> {
    range(given, u16::MAX.into())
}

/// A range of 32 bits.
pub fn longs(given: &Given) -> Result<String, String> {
    range(given, u32::MAX.into())
}

/// A port by its number or name.
pub fn port(given: &Given) -> Result<String, String> {
    let number = number(given.text).filter(|port| *port <= u16::MAX.into());
    let port = number.or_else(|| {
        given
            .names
            .service(given.text, given.protocol)
            .map(u64::from)
    });
    let wrong = || format!("invalid port/service `{}' specified", given.text);
    port.map(|port| port.to_string()).ok_or_else(wrong)
}

/// One port, or `a:b`.
pub fn ports(given: &Given) -> Result<String, String> {
    let Some((from, to)) = given.text.split_once(':') else {
        return port(given);
    };
    let end = |text: &str, default: &str| match text {
        "" => Ok(default.to_owned()),
        text => port(&given.with(text)),
    };
    let (from, to) = (end(from, "0")?, end(to, "65535")?);
    match number(&from) > number(&to) {
        true => Err("invalid portrange (min > max)".into()),
        false if from == to => Ok(from),
        false => Ok(format!("{from}:{to}")),
    }
}

/// Up to 15 ports, a range counting twice.
pub fn port_list(given: &Given) -> Result<String, String> {
    let mut saved = Vec::new();
    let mut count = 0;
    for text in given.text.split(',') {
        count += 1 + usize::from(text.contains(':'));
        if count > 15 {
            return Err("too many ports specified".into());
        }
        let text = match text.split_once(':') {
            Some((from, to)) => {
                let (from, to) = (port(&given.with(from))?, port(&given.with(to))?);
                if number(&from) >= number(&to) {
                    return Err("invalid portrange specified".into());
                }
                format!("{from}:{to}")
            }
            None => port(&given.with(text))?,
        };
        saved.push(text);
    }
    Ok(saved.join(","))
}

/// `value` or `value/mask`, in hexadecimal; a full mask is not written.
pub fn mark(given: &Given) -> Result<String, String> {
    let (value, mask) = masked(given)?;
    Ok(match mask {
        u32::MAX => format!("0x{value:x}"),
        mask => format!("0x{value:x}/0x{mask:x}"),
    })
}

/// A value of 32 bits and its mask.
pub fn masked(given: &Given) -> Result<(u32, u32), String> {
    let (value, mask) = given
        .text
        .split_once('/')
        .unwrap_or((given.text, "0xffffffff"));
    let part = |text| up_to(&given.with(text), u32::MAX.into()).map(|value| value as u32);
    let wrong = |_| given.bad(0, u32::MAX.into());
    Ok((part(value).map_err(wrong)?, part(mask).map_err(wrong)?))
}

/// Any text, in quotes where needed.
pub fn words(given: &Given) -> Result<String, String> {
    Ok(text::saved(given.text))
}

/// Any text as it is: names of interfaces, sets, lists.
pub fn name(given: &Given) -> Result<String, String> {
    Ok(given.text.to_owned())
}

/// Any text, always in quotes.
pub fn quoted(given: &Given) -> Result<String, String> {
    Ok(text::always_quoted(given.text))
}

/// A comment, of at most 255 letters.
pub fn comment(given: &Given) -> Result<String, String> {
    match given.text.len() < 256 {
        true => words(given),
        false => Err("Argument must have a maximum length of 255 characters\n".into()),
    }
}

/// The address of an Ethernet card.
pub fn mac(given: &Given) -> Result<String, String> {
    let wrong = || String::from("Invalid MAC address specified.");
    let parts: Vec<&str> = given.text.split(':').collect();
    let good = |part: &&str| matches!(part.len(), 1 | 2) && u8::from_str_radix(part, 16).is_ok();
    match parts.len() == 6 && parts.iter().all(good) {
        true => {
            let parts = parts
                .iter()
                .map(|part| format!("{part:0>2}").to_lowercase());
            Ok(parts.collect::<Vec<_>>().join(":"))
        }
        false => Err(wrong()),
    }
}

/// An address without a mask.
pub fn address(given: &Given) -> Result<String, String> {
    let parsed = plain(given.text, given.names.family);
    let wrong = || format!("host/network `{}' not found", given.text);
    parsed.map(|address| address.to_string()).ok_or_else(wrong)
}

/// Two addresses, `a-b`, or one for both.
pub fn address_range(given: &Given) -> Result<String, String> {
    let (from, to) = given
        .text
        .split_once('-')
        .unwrap_or((given.text, given.text));
    let end = |text| {
        let parsed = plain(text, given.names.family);
        parsed.ok_or_else(|| format!("{}: Bad IP address \"{text}\"\n", given.extension))
    };
    Ok(format!("{}-{}", end(from)?, end(to)?))
}

fn plain(text: &str, family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Family::V6 => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// Addresses with masks, as `-s` and `-d` take them: a list, names, `/24` or `/255.255.255.0`. The host's bits
/// are cleared, and an address that means all is the empty text.
pub fn networks(list: &str, names: &Names) -> Result<Vec<String>, String> {
    let mut networks = Vec::new();
    for one in list.split(',') {
        let one = one.trim_start_matches(' ');
        let (host, mask) = match one.split_once('/') {
            Some((host, mask)) => (host, Some(mask)),
            None => (one, None),
        };
        let mask = network_mask(mask, names.family)?;
        let found = match plain(host, names.family) {
            // Not said aloud by anybody, but 10.0/8 is in many files.
            None if names.family == Family::V4 => short_address(host).map(IpAddr::V4),
            found => found,
        };
        let hosts = match found {
            Some(address) => vec![address],
            None => names.host(host),
        };
        if hosts.is_empty() {
            return Err(format!("host/network `{host}' not found"));
        }
        for host in hosts {
            let text = network(host, mask);
            if !networks.contains(&text) {
                networks.push(text);
            }
        }
    }
    Ok(networks)
}

/// `10` or `10.0` with what is missing at its end.
fn short_address(text: &str) -> Option<Ipv4Addr> {
    let mut parts = [0; 4];
    let given: Vec<&str> = text.split('.').collect();
    if given.len() > 4 {
        return None;
    }
    for (part, given) in parts.iter_mut().zip(given) {
        *part = given.parse().ok()?;
    }
    Some(parts.into())
}

fn network_mask(mask: Option<&str>, family: Family) -> Result<u128, String> {
    let bits = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    let ones = |count: u32| match count {
        0 => 0,
        count => (u128::MAX << (128 - count)) >> (128 - bits),
    };
    let Some(mask) = mask else {
        return Ok(ones(bits));
    };
    let wrong = || format!("invalid mask `{mask}' specified");
    match plain(mask, family) {
        Some(IpAddr::V4(mask)) => Ok(mask.to_bits().into()),
        Some(IpAddr::V6(mask)) => Ok(mask.to_bits()),
        None => {
            let count = number(mask).filter(|count| *count <= bits.into());
            Ok(ones(count.ok_or_else(wrong)? as u32))
        }
    }
}

fn network(address: IpAddr, mask: u128) -> String {
    let (address, bits, written) = match address {
        IpAddr::V4(address) => {
            let address = Ipv4Addr::from_bits(address.to_bits() & mask as u32);
            let written = Ipv4Addr::from_bits(mask as u32).to_string();
            (IpAddr::V4(address), 32, written)
        }
        IpAddr::V6(address) => {
            let address = Ipv6Addr::from_bits(address.to_bits() & mask);
            (
                IpAddr::V6(address),
                128,
                Ipv6Addr::from_bits(mask).to_string(),
            )
        }
    };
    let count = mask.count_ones();
    let solid = mask == 0 || (mask << (128 - bits)).leading_ones() == count;
    match solid {
        _ if mask == 0 => String::new(),
        true => format!("{address}/{count}"),
        false => format!("{address}/{written}"),
    }
}

/// An address with its mask, `/32` or `/128` left out where `short`.
pub fn masked_address(given: &Given) -> Result<String, String> {
    let networks = networks(given.text, given.names)?;
    let Some(network) = networks.first() else {
        return Err(format!("host/network `{}' not found", given.text));
    };
    Ok(network.clone())
}

/// The same without the mask of a single host.
pub fn short_masked_address(given: &Given) -> Result<String, String> {
    let network = masked_address(given)?;
    let single = network
        .strip_suffix("/32")
        .or_else(|| network.strip_suffix("/128"));
    Ok(single.map(str::to_owned).unwrap_or(network))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn addresses_get_their_masks() {
        let v4 = Names::new(Family::V4, Path::new("/nowhere"), None);
        let v6 = Names::new(Family::V6, Path::new("/nowhere"), None);
        let of = |text, names| networks(text, names).unwrap().join(" ");
        assert_eq!(of("10.1.2.3", &v4), "10.1.2.3/32");
        assert_eq!(of("10.1.2.3/8,1.2.3.4", &v4), "10.0.0.0/8 1.2.3.4/32");
        assert_eq!(of("10.1.2.3/255.0.255.0", &v4), "10.0.2.0/255.0.255.0");
        assert_eq!(of("0/0", &v4), "");
        assert_eq!(of("2001:DB8::1/64", &v6), "2001:db8::/64");
        assert_eq!(of("::", &v6), "::/128");
        let wrong = networks("10.0.0.1/33", &v4).unwrap_err();
        assert_eq!(wrong, "invalid mask `33' specified");
        assert!(networks("10.0.0.1", &v6).is_err());
    }
}
