//! How `iptables -L` words matches and targets.

use super::{
    super::{
        names::{Family, Names},
        text,
    },
    destinations::level_name,
    extension::{Chosen, Part},
    icmp,
};

/// What the words depend on.
pub struct Shown<'a> {
    /// Names for numbers.
    pub names: &'a Names<'a>,
    /// The rule's protocol.
    pub protocol: &'a str,
    /// Whether numbers stay numbers.
    pub numeric: bool,
}

fn not(chosen: &Chosen) -> &'static str {
    if chosen.not { "!" } else { "" }
}

impl Shown<'_> {
    /// A match, with a space in front. One whose words are not known here is shown as it is saved.
    pub fn matched(&self, part: &Part) -> String {
        let value = |name: &str| part.value(name).unwrap_or_default();
        match part.name.as_str() {
            "tcp" | "udp" => self.ports(part),
            "comment" => format!(" /* {} */", text::meant(value("comment"))),
            "state" => self.each(part, &[("state", "state")]),
            "conntrack" => self.each(
                part,
                &[
                    ("ctstate", "ctstate"),
                    ("ctproto", "ctproto"),
                    ("ctorigsrc", "ctorigsrc"),
                    ("ctorigdst", "ctorigdst"),
                    ("ctreplsrc", "ctreplsrc"),
                    ("ctrepldst", "ctrepldst"),
                    ("ctstatus", "ctstatus"),
                    ("ctexpire", "ctexpire"),
                    ("ctdir", "ctdir"),
                ],
            ),
            "limit" => {
                let burst = part.value("limit-burst").unwrap_or("5");
                format!(" limit: avg {} burst {burst}", value("limit"))
            }
            "multiport" => {
                let kinds = [
                    ("sports", "sports"),
                    ("dports", "dports"),
                    ("ports", "ports"),
                ];
                let mut out = String::from(" multiport");
                for (name, word) in kinds {
                    if let Some(chosen) = part.get(name) {
                        let not = if chosen.not { " !" } else { "" };
                        let ports = chosen.values[0].split(',');
                        let ports: Vec<String> = ports.map(|port| self.port(port)).collect();
                        out += &format!(" {word}{not} {}", ports.join(","));
                    }
                }
                out
            }
            "icmp" | "icmp6" => self.icmp(part),
            "mark" | "connmark" => match part.get("mark") {
                Some(chosen) => {
                    let not = if chosen.not { " !" } else { "" };
                    format!(" {} match{not} {}", part.name, chosen.values[0])
                }
                None => String::new(),
            },
            "mac" => match part.get("mac-source") {
                Some(chosen) => format!(
                    " MAC{} {}",
                    if chosen.not { " !" } else { "" },
                    chosen.values[0]
                ),
                None => String::new(),
            },
            "addrtype" => self.address_type(part),
            "hl" | "ttl" => {
                let word = part.name.to_uppercase();
                let kinds = [("eq", "=="), ("lt", "<"), ("gt", ">")];
                let found = kinds.iter().find_map(|(kind, sign)| {
                    let chosen = part.get(&format!("{}-{kind}", part.name))?;
                    let sign = if chosen.not { "!=" } else { sign };
                    Some(format!(" {word} match {word} {sign} {}", chosen.values[0]))
                });
                found.unwrap_or_default()
            }
            "iprange" => {
                let kinds = [("src-range", "source"), ("dst-range", "destination")];
                let kinds = kinds
                    .iter()
                    .filter_map(|(name, word)| Some((part.get(name)?, word)));
                kinds
                    .map(|(chosen, word)| {
                        let not = if chosen.not { " !" } else { "" };
                        format!(" {word} IP range{not} {}", chosen.values[0])
                    })
                    .collect()
            }
            _ => format!(" {}{}", part.name, part.saved()),
        }
    }

    /// A target, with a space in front.
    pub fn target(&self, part: &Part) -> String {
        let value = |name: &str| part.value(name).unwrap_or_default();
        match part.name.as_str() {
            "REJECT" => format!(" reject-with {}", value("reject-with")),
            "DNAT" => format!(" to:{}{}", value("to-destination"), self.flags(part)),
            "SNAT" => format!(" to:{}{}", value("to-source"), self.flags(part)),
            "REDIRECT" => match part.value("to-ports") {
                Some(ports) => format!(" redir ports {ports}{}", self.flags(part)),
                None => self.flags(part),
            },
            "MASQUERADE" => match part.value("to-ports") {
                Some(ports) => format!(" masq ports: {ports}{}", self.flags(part)),
                None => self.flags(part),
            },
            "LOG" => {
                let level = part.value("log-level").unwrap_or("4");
                let mut out = match level_name(level).filter(|_| !self.numeric) {
                    Some(name) => format!(" LOG level {name}"),
                    None => {
                        let flags = [
                            ("log-tcp-sequence", 1),
                            ("log-tcp-options", 2),
                            ("log-ip-options", 4),
                            ("log-uid", 8),
                            ("log-macdecode", 32),
                        ];
                        let flags = flags.iter().filter(|(name, _)| part.has(name));
                        let flags: u32 = flags.map(|(_, bit)| bit).sum();
                        format!(" LOG flags {flags} level {level}")
                    }
                };
                if let Some(prefix) = part.value("log-prefix") {
                    out += &format!(" prefix {}", text::always_quoted(&text::meant(prefix)));
                }
                out
            }
            _ => part.saved().replace(" --", " "),
        }
    }

    fn flags(&self, part: &Part) -> String {
        let flags = ["random", "random-fully", "persistent"];
        let flags = flags.iter().filter(|name| part.has(name));
        flags.map(|name| format!(" {name}")).collect()
    }

    fn each(&self, part: &Part, words: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for (name, word) in words {
            if let Some(chosen) = part.get(name) {
                let not = if chosen.not { " !" } else { "" };
                out += &format!("{not} {word} {}", chosen.values.join(" "));
            }
        }
        out
    }

    fn port(&self, port: &str) -> String {
        let number = port.to_owned();
        match self.numeric {
            true => number,
            false => self.names.service_of(port, self.protocol).unwrap_or(number),
        }
    }

    fn ports(&self, part: &Part) -> String {
        let mut out = format!(" {}", part.name);
        for (option, word) in [("sport", "spt"), ("dport", "dpt")] {
            let Some(chosen) = part.get(option) else {
                continue;
            };
            out += &match chosen.values[0].split_once(':') {
                Some((from, to)) => {
                    format!(
                        " {word}s:{}{}:{}",
                        not(chosen),
                        self.port(from),
                        self.port(to)
                    )
                }
                None => format!(" {word}:{}{}", not(chosen), self.port(&chosen.values[0])),
            };
        }
        if let Some(option) = part.get("tcp-option") {
            out += &format!(" option={}{}", not(option), option.values[0]);
        }
        if let Some(flags) = part.get("tcp-flags") {
            let shown = |flags: &str| match self.numeric {
                false => flags.to_owned(),
                true => format!("0x{:02X}", flag_bits(flags)),
            };
            let (mask, set) = (shown(&flags.values[0]), shown(&flags.values[1]));
            out += &format!(" flags:{}{mask}/{set}", not(flags));
        }
        out
    }

    fn icmp(&self, part: &Part) -> String {
        let v6 = self.names.family == Family::V6;
        let Some(chosen) = part.get(if v6 { "icmpv6-type" } else { "icmp-type" }) else {
            return String::new();
        };
        let (not, value) = (not(chosen), chosen.values[0].as_str());
        let kind = if v6 { "ipv6-icmp" } else { "icmp" };
        let (name, value) = match value {
            "any" => (Some("any"), "255"),
            value => (icmp::name_of(value, v6), value),
        };
        match name.filter(|_| !self.numeric) {
            Some(name) => format!(" {kind} {not}{name}"),
            None => {
                let (of, code) = value.split_once('/').unwrap_or((value, ""));
                let code = match code {
                    "" => String::new(),
                    code => format!(" code {code}"),
                };
                format!(" {kind}{} {not}{of}{code}", if v6 { "" } else { "type" })
                    .replace("ipv6-icmp ", "ipv6-icmptype ")
            }
        }
    }

    fn address_type(&self, part: &Part) -> String {
        let mut out = String::from(" ADDRTYPE match");
        for option in ["src-type", "dst-type"] {
            if let Some(chosen) = part.get(option) {
                out += &format!(" {option} {}{}", not(chosen), chosen.values[0]);
            }
        }
        for option in ["limit-iface-in", "limit-iface-out"] {
            if part.has(option) {
                out += &format!(" {option}");
            }
        }
        out
    }
}

fn flag_bits(flags: &str) -> u8 {
    let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
    let bit = |flag| {
        names
            .iter()
            .position(|name| *name == flag)
            .map_or(0, |at| 1 << at)
    };
    flags.split(',').map(bit).sum()
}
