//! A connection's file in the words of `nmcli connection show`.

use super::{
    keyfile::{Keyfile, unescaped},
    settings::{SETTINGS, Setting},
};

/// A property with its value.
type Line = (String, String);

/// The setting of a section, as nmcli calls it.
pub fn setting(section: &str) -> &str {
    let section = if section == "wifi-sec" {
        "wifi-security"
    } else {
        section
    };
    let found = SETTINGS.iter().find(|setting| setting.section == section);
    found.map_or(section, |setting| setting.name)
}

/// All properties of a connection, with those that hold by default.
pub fn lines(file: &Keyfile, secrets: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let kind = file.text("connection", "type").unwrap_or_default();
    let there = |section: &str| {
        let always = ["connection", "ipv4", "ipv6", "proxy"].contains(&section);
        (always && section == "connection")
            || section == kind
            || file.sections().any(|one| one == section)
    };
    for Setting {
        name,
        section,
        properties,
    } in SETTINGS
    {
        if !there(section) {
            continue;
        }
        for (property, default) in *properties {
            let value = value(file, section, property);
            let value = match value {
                Some(value) if !secrets && is_secret(property) && !value.is_empty() => {
                    "<hidden>".into()
                }
                Some(value) if !value.is_empty() => value,
                _ => (*default).to_owned(),
            };
            lines.push((format!("{name}.{property}"), value));
        }
        others(file, section, name, properties, secrets, &mut lines);
        if *section == "connection" {
            for section in file
                .sections()
                .filter(|section| SETTINGS.iter().all(|known| known.section != *section))
            {
                others(file, section, section, &[], secrets, &mut lines);
            }
        }
    }
    lines
}

fn is_secret(property: &str) -> bool {
    let names = ["psk", "pin", "private-key", "preshared-key"];
    let wep = property
        .strip_prefix("wep-key")
        .is_some_and(|number| number.len() == 1);
    names.contains(&property) || property.ends_with("password") || wep
}

/// What a section has beside the properties that are known.
fn others(
    file: &Keyfile,
    section: &str,
    name: &str,
    known: &[(&str, &str)],
    secrets: bool,
    lines: &mut Vec<Line>,
) {
    if section == "bond" || section == "vpn" {
        let service = file.text(section, "service-type");
        if let Some(service) = service {
            lines.push((format!("{name}.service-type"), service));
        }
        let data = file.keys(section).filter(|(key, _)| *key != "service-type");
        let data: Vec<String> = data
            .map(|(key, value)| match section {
                "bond" => format!("{key}={}", unescaped(value)),
                _ => format!("{key} = {}", unescaped(value)),
            })
            .collect();
        let (property, between) = match section {
            "bond" => ("options", ","),
            _ => ("data", ", "),
        };
        lines.push((format!("{name}.{property}"), data.join(between)));
        return;
    }
    for (key, text) in file.keys(section) {
        let numbered = ["address", "route", "routing-rule"].iter().any(|prefix| {
            let rest = key.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
        });
        if !numbered && known.iter().all(|(property, _)| *property != key) {
            let hidden = !secrets && (is_secret(key) || section.ends_with("secrets"));
            let value = if hidden {
                "<hidden>".into()
            } else {
                shown(key, text)
            };
            lines.push((format!("{name}.{key}"), value));
        }
    }
}

/// The value of a property, if the file has it.
fn value(file: &Keyfile, section: &str, property: &str) -> Option<String> {
    let all = |prefix: &str| {
        let numbered = file.keys(section).filter(|(key, _)| {
            let rest = key.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        });
        numbered
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    match (section, property) {
        ("connection", "type") => {
            let kind = file.text(section, property)?;
            Some(setting(&kind).to_owned())
        }
        ("connection", "master") => file
            .text(section, "master")
            .or_else(|| file.text(section, "controller")),
        ("connection", "slave-type") => file
            .text(section, "slave-type")
            .or_else(|| file.text(section, "port-type")),
        ("wifi", "ssid") => file.get(section, property).map(ssid),
        ("ipv4" | "ipv6", "addresses") => {
            let addresses = all("address");
            let addresses = addresses
                .iter()
                .filter_map(|(_, value)| value.split([',', ';']).next());
            Some(addresses.collect::<Vec<_>>().join(", "))
        }
        ("ipv4" | "ipv6", "gateway") => file.text(section, "gateway").or_else(|| {
            let addresses = all("address");
            let mut gateways = addresses
                .iter()
                .filter_map(|(_, value)| value.split(',').nth(1));
            gateways.next().map(str::to_owned)
        }),
        ("ipv4" | "ipv6", "routes") => {
            let routes = all("route").into_iter().map(|(key, value)| {
                let options = file.get(section, &format!("{key}_options"));
                route(&value, options)
            });
            Some(routes.collect::<Vec<_>>().join("; "))
        }
        ("ipv4" | "ipv6", "routing-rules") => {
            let rules = all("routing-rule")
                .into_iter()
                .map(|(_, value)| unescaped(&value));
            Some(rules.collect::<Vec<_>>().join(", "))
        }
        ("ipv6", "ip6-privacy") => Some(match file.get(section, property)? {
            "0" => "0 (disabled)".into(),
            "1" => "1 (enabled, prefer public IP)".into(),
            "2" => "2 (enabled, prefer temporary IP)".into(),
            other => format!("{other} (unknown)"),
        }),
        ("vlan", "flags") => match file.get(section, property)? {
            "1" => None,
            "0" => Some("0 (NONE)".into()),
            other => Some(other.to_owned()),
        },
        (_, "mtu") => file.text(section, property).filter(|mtu| mtu != "0"),
        _ => Some(shown(property, file.get(section, property)?)),
    }
}

/// A value in nmcli's words.
fn shown(property: &str, value: &str) -> String {
    match value {
        "true" => return "yes".into(),
        "false" => return "no".into(),
        _ => {}
    }
    let lists = [
        "dns",
        "dns-search",
        "dns-options",
        "permissions",
        "secondaries",
        "proto",
        "pairwise",
        "group",
        "mac-address-blacklist",
        "seen-bssids",
        "ingress-priority-map",
        "egress-priority-map",
    ];
    match lists.contains(&property) {
        true => {
            let parts = value.split([';', ',']).filter(|part| !part.is_empty());
            parts.map(unescaped).collect::<Vec<_>>().join(",")
        }
        false => unescaped(value),
    }
}

/// `10.0.0.0/8,192.168.0.1,5` with options in the words of nmcli.
fn route(value: &str, options: Option<&str>) -> String {
    let mut parts = value.split(',');
    let mut out = format!("{{ ip = {}", parts.next().unwrap_or_default());
    for (name, value) in ["nh", "mt"].into_iter().zip(parts) {
        let nothing = value.is_empty() || (name == "nh" && ["0.0.0.0", "::"].contains(&value));
        if !nothing {
            out += &format!(", {name} = {value}");
        }
    }
    for option in options
        .unwrap_or_default()
        .split(',')
        .filter(|option| !option.is_empty())
    {
        out += &format!(" {option}").replacen(' ', ", ", 1);
    }
    out + " }"
}

/// The name of a network: text, or numbers of its bytes.
fn ssid(value: &str) -> String {
    let parts = value
        .strip_suffix(';')
        .map(|value| value.split(';').map(|part| part.trim().parse::<u8>()));
    let bytes = parts.and_then(|parts| parts.collect::<Result<Vec<u8>, _>>().ok());
    match bytes {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // Escaped as a list's part, and then as a value.
        None => unescaped(&unescaped(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_shown_in_nmclis_words() {
        let file = Keyfile::parse(
            "[connection]\nid=lan\ntype=ethernet\nautoconnect=false\n[ethernet]\nmtu=1400\n[ipv4]\n\
             address1=192.168.1.5/24,192.168.1.1\naddress2=10.0.0.2/8\ndns=8.8.8.8;1.1.1.1;\n\
             method=manual\nroute1=10.1.0.0/16,192.168.1.2,5\nroute2=10.2.0.0/16\nroute2_options=onlink=true\n\
             [ipv6]\nmethod=disabled\nip6-privacy=2\n[bond]\nmode=802.3ad\nmiimon=100\n",
        );
        let lines = lines(&file, true);
        let get = |name: &str| {
            let found = lines.iter().find(|(property, _)| property == name);
            found.map_or("(none)", |(_, value)| value)
        };
        for (name, value) in [
            ("connection.type", "802-3-ethernet"),
            ("connection.autoconnect", "no"),
            ("connection.zone", "--"),
            ("802-3-ethernet.mtu", "1400"),
            ("ipv4.addresses", "192.168.1.5/24, 10.0.0.2/8"),
            ("ipv4.gateway", "192.168.1.1"),
            ("ipv4.dns", "8.8.8.8,1.1.1.1"),
            (
                "ipv4.routes",
                "{ ip = 10.1.0.0/16, nh = 192.168.1.2, mt = 5 }; { ip = 10.2.0.0/16, onlink=true }",
            ),
            ("ipv4.may-fail", "yes"),
            ("ipv6.ip6-privacy", "2 (enabled, prefer temporary IP)"),
            ("bond.options", "mode=802.3ad,miimon=100"),
            ("802-11-wireless.ssid", "(none)"),
        ] {
            assert_eq!(get(name), value, "{name}");
        }
    }

    #[test]
    fn names_of_networks_may_be_bytes_and_passwords_are_hidden() {
        let file = Keyfile::parse(
            "[connection]\ntype=wifi\n[wifi]\nssid=77;121;\n[wifi-security]\npsk=secret\n",
        );
        let shown = |secrets| {
            let lines = lines(&file, secrets);
            let get = |name: &str| {
                lines
                    .iter()
                    .find(|(property, _)| property == name)
                    .unwrap()
                    .1
                    .clone()
            };
            (
                get("802-11-wireless.ssid"),
                get("802-11-wireless-security.psk"),
            )
        };
        assert_eq!(shown(true), ("My".into(), "secret".into()));
        assert_eq!(shown(false).1, "<hidden>");
        assert_eq!(ssid("My\\\\;Net"), "My;Net");
    }
}
