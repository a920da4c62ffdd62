//! The matches, each with its options in the order in which `iptables-save` writes them.

use super::{
    super::names::Family,
    extension::{About, Extension, Opt, Part, any, done, exclusive, one},
    icmp,
    lists::{self, list},
    values::*,
};

const fn plain(name: &'static str, options: &'static [Opt]) -> Extension {
    Extension {
        name,
        options,
        finish: done,
    }
}

const fn with(
    name: &'static str,
    options: &'static [Opt],
    finish: fn(&mut Part, &About) -> Result<(), String>,
) -> Extension {
    Extension {
        name,
        options,
        finish,
    }
}

const SPORT: Opt = Opt::new("sport", &[ports]).also(&["source-port"]);
const DPORT: Opt = Opt::new("dport", &[ports]).also(&["destination-port"]);

/// All of them.
pub const MATCHES: &[Extension] = &[
    with(
        "addrtype",
        &[
            Opt::new("src-type", &[lists::address_types]),
            Opt::new("dst-type", &[lists::address_types]),
            Opt::sure("limit-iface-in", &[]),
            Opt::sure("limit-iface-out", &[]),
        ],
        |part, _| match part.has("src-type") || part.has("dst-type") {
            true => exclusive(part, &["limit-iface-in", "limit-iface-out"]),
            false => Err("addrtype match: you must specify `--src-type' or `--dst-type'".into()),
        },
    ),
    with("ah", &[Opt::new("ahspi", &[longs])], |part, _| {
        part.leave_out("ahspi", "0:4294967295");
        Ok(())
    }),
    with("comment", &[Opt::sure("comment", &[comment])], |part, _| {
        any(part, &["comment"])
    }),
    with(
        "connbytes",
        &[
            Opt::new("connbytes", &[name]),
            Opt::sure(
                "connbytes-mode",
                &[|g| list(g, &["packets", "bytes", "avgpkt"])],
            ),
            Opt::sure(
                "connbytes-dir",
                &[|g| list(g, &["original", "reply", "both"])],
            ),
        ],
        |part, _| {
            for name in ["connbytes", "connbytes-dir", "connbytes-mode"] {
                any(part, &[name])?;
            }
            Ok(())
        },
    ),
    with(
        "connlimit",
        &[
            Opt::sure("connlimit-upto", &[long]),
            Opt::new("connlimit-above", &[long]),
            Opt::sure("connlimit-mask", &[byte]),
            Opt::sure("connlimit-saddr", &[]),
            Opt::sure("connlimit-daddr", &[]),
        ],
        |part, about| {
            if part.get("connlimit-above").is_some_and(|above| above.not) {
                let upto = part.take("connlimit-above").map(|above| above.values);
                let values = upto.unwrap_or_default();
                part.set(
                    "connlimit-upto",
                    &values.iter().map(String::as_str).collect::<Vec<_>>(),
                );
            }
            if !part.has("connlimit-upto") && !part.has("connlimit-above") {
                return Err(
                    "You must specify \"--connlimit-above\" or \"--connlimit-upto\".\n".into(),
                );
            }
            part.default(
                "connlimit-mask",
                &[match about.family() {
                    Family::V4 => "32",
                    Family::V6 => "128",
                }],
            );
            exclusive(part, &["connlimit-saddr", "connlimit-daddr"])?;
            if !part.has("connlimit-daddr") {
                part.default("connlimit-saddr", &[]);
            }
            Ok(())
        },
    ),
    with("connmark", &[Opt::new("mark", &[mark])], |part, _| {
        any(part, &["mark"])
    }),
    with(
        "conntrack",
        &[
            Opt::new("ctstate", &[lists::connection_states]),
            Opt::new(
                "ctproto",
                &[|given| {
                    super::protocol::number(given.text, given.names)
                        .map(|number| number.to_string())
                }],
            ),
            Opt::new("ctorigsrc", &[short_masked_address]),
            Opt::new("ctorigdst", &[short_masked_address]),
            Opt::new("ctreplsrc", &[short_masked_address]),
            Opt::new("ctrepldst", &[short_masked_address]),
            Opt::new("ctorigsrcport", &[ports]),
            Opt::new("ctorigdstport", &[ports]),
            Opt::new("ctreplsrcport", &[ports]),
            Opt::new("ctrepldstport", &[ports]),
            Opt::new("ctstatus", &[lists::connection_status]),
            Opt::new("ctexpire", &[longs]),
            Opt::sure("ctdir", &[|g| list(g, &["ORIGINAL", "REPLY"])]),
        ],
        |part, _| match part.options.is_empty() {
            true => Err("conntrack: At least one option is required".into()),
            false => Ok(()),
        },
    ),
    with("cpu", &[Opt::new("cpu", &[long])], |part, _| {
        any(part, &["cpu"])
    }),
    with(
        "dscp",
        &[
            Opt::new("dscp", &[lists::dscp]),
            Opt::new("dscp-class", &[lists::dscp_class]),
        ],
        |part, _| {
            exclusive(part, &["dscp", "dscp-class"])?;
            rename(part, "dscp-class", "dscp");
            any(part, &["dscp"])
        },
    ),
    with("esp", &[Opt::new("espspi", &[longs])], |part, _| {
        part.leave_out("espspi", "0:4294967295");
        Ok(())
    }),
    plain("eui64", &[]),
    plain(
        "frag",
        &[
            Opt::new("fragid", &[longs]),
            Opt::new("fraglen", &[long]),
            Opt::sure("fragres", &[]),
            Opt::sure("fragfirst", &[]),
            Opt::sure("fragmore", &[]),
            Opt::sure("fraglast", &[]),
        ],
    ),
    with(
        "hashlimit",
        &[
            Opt::new("hashlimit-above", &[lists::fine_rate]),
            Opt::new("hashlimit-upto", &[lists::fine_rate]).also(&["hashlimit"]),
            Opt::sure("hashlimit-burst", &[name]),
            Opt::sure("hashlimit-mode", &[lists::hash_mode]),
            Opt::sure("hashlimit-name", &[name]),
            Opt::sure("hashlimit-htable-size", &[long]),
            Opt::sure("hashlimit-htable-max", &[long]),
            Opt::sure("hashlimit-htable-gcinterval", &[long]),
            Opt::sure("hashlimit-htable-expire", &[long]),
            Opt::sure("hashlimit-srcmask", &[byte]),
            Opt::sure("hashlimit-dstmask", &[byte]),
            Opt::sure("hashlimit-rate-match", &[]),
            Opt::sure("hashlimit-rate-interval", &[long]),
        ],
        hashlimit,
    ),
    with("helper", &[Opt::new("helper", &[words])], |part, _| {
        any(part, &["helper"])
    }),
    with(
        "hl",
        &[
            Opt::new("hl-eq", &[byte]),
            Opt::sure("hl-lt", &[byte]),
            Opt::sure("hl-gt", &[byte]),
        ],
        |part, _| one(part, &["hl-eq", "hl-lt", "hl-gt"]),
    ),
    with("icmp", &[Opt::new("icmp-type", &[icmp::v4])], |part, _| {
        any(part, &["icmp-type"])
    }),
    with(
        "icmp6",
        &[Opt::new("icmpv6-type", &[icmp::v6])],
        |part, _| any(part, &["icmpv6-type"]),
    ),
    with(
        "iprange",
        &[
            Opt::new("src-range", &[address_range]),
            Opt::new("dst-range", &[address_range]),
        ],
        |part, _| match part.options.is_empty() {
            true => Err("iprange match: You must specify `--src-range' or `--dst-range'".into()),
            false => Ok(()),
        },
    ),
    with("length", &[Opt::new("length", &[shorts])], |part, _| {
        any(part, &["length"])
    }),
    with(
        "limit",
        &[
            Opt::sure("limit", &[lists::rate]),
            Opt::sure("limit-burst", &[long]),
        ],
        |part, _| {
            part.default("limit", &["3/hour"]);
            part.leave_out("limit-burst", "5");
            Ok(())
        },
    ),
    with("mac", &[Opt::new("mac-source", &[mac])], |part, _| {
        any(part, &["mac-source"])
    }),
    with("mark", &[Opt::new("mark", &[mark])], |part, _| {
        any(part, &["mark"])
    }),
    with(
        "multiport",
        &[
            Opt::new("sports", &[port_list]).also(&["source-ports"]),
            Opt::new("dports", &[port_list]).also(&["destination-ports"]),
            Opt::new("ports", &[port_list]),
        ],
        |part, about| {
            let known = ["tcp", "udp", "udplite", "sctp", "dccp"];
            if !about
                .protocol
                .is_some_and(|protocol| known.contains(&protocol))
            {
                let wrong = "multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP";
                return Err(wrong.into());
            }
            match part.options.is_empty() {
                true => Err("multiport expection an option".into()),
                false => Ok(()),
            }
        },
    ),
    plain(
        "owner",
        &[
            Opt::new("socket-exists", &[]),
            Opt::new("uid-owner", &[|given| lists::owner(given, "/etc/passwd")]),
            Opt::new("gid-owner", &[|given| lists::owner(given, "/etc/group")]),
            Opt::sure("suppl-groups", &[]),
        ],
    ),
    with(
        "physdev",
        &[
            Opt::new("physdev-is-in", &[]),
            Opt::new("physdev-in", &[name]),
            Opt::new("physdev-is-out", &[]),
            Opt::new("physdev-out", &[name]),
            Opt::new("physdev-is-bridged", &[]),
        ],
        |part, _| match part.options.is_empty() {
            true => Err("PHYSDEV: no physdev option specified".into()),
            false => Ok(()),
        },
    ),
    with(
        "pkttype",
        &[Opt::new("pkt-type", &[lists::packet_type])],
        |part, _| any(part, &["pkt-type"]),
    ),
    with("quota", &[Opt::new("quota", &[longer])], |part, _| {
        any(part, &["quota"])
    }),
    with(
        "recent",
        &[
            Opt::new("set", &[]),
            Opt::new("rcheck", &[]),
            Opt::new("update", &[]),
            Opt::new("remove", &[]),
            Opt::sure("seconds", &[long]),
            Opt::sure("reap", &[]),
            Opt::sure("hitcount", &[long]),
            Opt::sure("rttl", &[]),
            Opt::sure("name", &[name]),
            Opt::sure("mask", &[address]),
            Opt::sure("rsource", &[]),
            Opt::sure("rdest", &[]),
        ],
        recent,
    ),
    plain(
        "rpfilter",
        &[
            Opt::sure("loose", &[]),
            Opt::sure("validmark", &[]),
            Opt::sure("accept-local", &[]),
            Opt::sure("invert", &[]),
        ],
    ),
    plain(
        "rt",
        &[
            Opt::new("rt-type", &[long]),
            Opt::new("rt-segsleft", &[longs]),
            Opt::new("rt-len", &[long]),
            Opt::sure("rt-0-res", &[]),
            Opt::sure("rt-0-addrs", &[name]),
            Opt::sure("rt-0-not-strict", &[]),
        ],
    ),
    with(
        "set",
        &[
            Opt::new("match-set", &[name, lists::directions]).also(&["set"]),
            Opt::sure("return-nomatch", &[]),
            Opt::new("update-counters", &[]),
            Opt::new("update-subcounters", &[]),
        ],
        |part, _| match part.has("match-set") {
            true => Ok(()),
            false => Err("You must specify `--match-set' with proper arguments".into()),
        },
    ),
    plain(
        "socket",
        &[
            Opt::sure("transparent", &[]),
            Opt::sure("nowildcard", &[]),
            Opt::sure("restore-skmark", &[]),
        ],
    ),
    with(
        "state",
        &[Opt::new("state", &[lists::states])],
        |part, _| any(part, &["state"]),
    ),
    with(
        "statistic",
        &[
            Opt::sure("mode", &[|g| list(g, &["random", "nth"])]),
            Opt::new("probability", &[lists::probability]),
            Opt::new("every", &[long]),
            Opt::sure("packet", &[long]),
        ],
        |part, _| {
            any(part, &["mode"])?;
            match part.value("mode") {
                Some("random") => any(part, &["probability"]),
                _ => any(part, &["every"]).and(any(part, &["packet"])),
            }
        },
    ),
    with(
        "string",
        &[
            Opt::new("string", &[quoted]),
            Opt::new("hex-string", &[quoted]),
            Opt::sure("algo", &[|g| list(g, &["bm", "kmp"])]),
            Opt::sure("from", &[short]),
            Opt::sure("to", &[short]),
            Opt::sure("icase", &[]),
        ],
        |part, _| {
            any(part, &["algo"])?;
            if !part.has("string") && !part.has("hex-string") {
                let wrong = "STRING match: You must specify `--string' or `--hex-string'";
                return Err(wrong.into());
            }
            part.leave_out("from", "0");
            part.leave_out("to", "65535");
            Ok(())
        },
    ),
    with(
        "tcp",
        &[
            SPORT,
            DPORT,
            Opt::new("tcp-option", &[byte]),
            Opt::new("tcp-flags", &[lists::tcp_flags, lists::tcp_flags]),
            Opt::new("syn", &[]),
        ],
        |part, about| {
            if let Some(syn) = part.take("syn") {
                part.set("tcp-flags", &["FIN,SYN,RST,ACK", "SYN"]);
                if let Some(flags) = part.options.last_mut() {
                    flags.not = syn.not;
                }
            }
            of_protocol(part, about, "tcp")
        },
    ),
    with("tcpmss", &[Opt::new("mss", &[shorts])], |part, _| {
        any(part, &["mss"])
    }),
    with("tos", &[Opt::new("tos", &[lists::tos])], |part, _| {
        any(part, &["tos"])
    }),
    with(
        "ttl",
        &[
            Opt::new("ttl-eq", &[byte]).also(&["ttl"]),
            Opt::sure("ttl-lt", &[byte]),
            Opt::sure("ttl-gt", &[byte]),
        ],
        |part, _| one(part, &["ttl-eq", "ttl-lt", "ttl-gt"]),
    ),
    with("udp", &[SPORT, DPORT], |part, about| {
        of_protocol(part, about, "udp")
    }),
];

/// Moves what was said by one name to another one.
pub fn rename(part: &mut Part, from: &str, to: &str) {
    if let Some(mut chosen) = part.take(from) {
        chosen.name = to.to_owned();
        part.options.push(chosen);
    }
}

/// Ports need their protocol; all of them are as good as none.
fn of_protocol(part: &mut Part, about: &About, protocol: &str) -> Result<(), String> {
    part.leave_out("sport", "0:65535");
    part.leave_out("dport", "0:65535");
    match about.protocol == Some(protocol) {
        true => Ok(()),
        false => Err(format!(
            "The {protocol} match needs `-p {protocol}' in front of it"
        )),
    }
}

fn hashlimit(part: &mut Part, about: &About) -> Result<(), String> {
    for (one, other) in [
        ("hashlimit-above", "hashlimit-upto"),
        ("hashlimit-upto", "hashlimit-above"),
    ] {
        if part.get(one).is_some_and(|chosen| chosen.not) {
            rename(part, one, other);
            if let Some(chosen) = part.options.last_mut() {
                chosen.not = false;
            }
            break;
        }
    }
    one(part, &["hashlimit-above", "hashlimit-upto"])?;
    any(part, &["hashlimit-name"])?;
    let rate = part
        .value("hashlimit-above")
        .or(part.value("hashlimit-upto"));
    let rate = rate.unwrap_or_default().to_owned();
    if !rate.ends_with("b/s") {
        part.default("hashlimit-burst", &["5"]);
    }
    let whole = match about.family() {
        Family::V4 => "32",
        Family::V6 => "128",
    };
    let seconds = match rate.split_once('/') {
        Some((_, "min")) => "60000",
        Some((_, "hour")) => "3600000",
        Some((_, "day")) => "86400000",
        _ => "1000",
    };
    part.leave_out("hashlimit-htable-gcinterval", "1000");
    part.leave_out("hashlimit-htable-expire", seconds);
    part.leave_out("hashlimit-srcmask", whole);
    part.leave_out("hashlimit-dstmask", whole);
    part.leave_out("hashlimit-rate-interval", "1");
    Ok(())
}

fn recent(part: &mut Part, about: &About) -> Result<(), String> {
    let actions = ["set", "rcheck", "update", "remove"];
    let chosen = actions.iter().filter(|action| part.has(action)).count();
    if chosen != 1 {
        return Err(
            "recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'".into(),
        );
    }
    let counts = ["seconds", "hitcount", "rttl"];
    let checks = part.has("rcheck") || part.has("update");
    if !checks && counts.iter().any(|count| part.has(count)) {
        let wrong = "recent: --seconds, --hitcount and --rttl go with `--rcheck' or `--update'";
        return Err(wrong.into());
    }
    part.leave_out("seconds", "0");
    part.leave_out("hitcount", "0");
    if part.has("reap") && !part.has("seconds") {
        return Err("recent: option \"--reap\" also requires \"--seconds\".\n".into());
    }
    part.default("name", &["DEFAULT"]);
    part.default(
        "mask",
        &[match about.family() {
            Family::V4 => "255.255.255.255",
            Family::V6 => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        }],
    );
    if !part.has("rdest") {
        part.default("rsource", &[]);
    }
    Ok(())
}
