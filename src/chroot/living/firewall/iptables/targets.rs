//! The targets, each with its options in the order in which `iptables-save` writes them.

use super::{
    super::names::Family,
    destinations as to,
    extension::{About, Extension, Opt, Part, any, done, exclusive, one},
    lists::{self, list},
    matches::rename,
    values::*,
};

/// What ends a rule in every table and chain.
pub const VERDICTS: [&str; 4] = ["ACCEPT", "DROP", "RETURN", "QUEUE"];

/// Targets that the kernel takes in one table only, and there in these chains of its own, or in all.
const PLACES: &[(&str, &str, &[&str])] = &[
    ("CHECKSUM", "mangle", &[]),
    ("CT", "raw", &[]),
    ("DNAT", "nat", &["PREROUTING", "OUTPUT"]),
    ("DSCP", "mangle", &[]),
    ("HL", "mangle", &[]),
    ("MASQUERADE", "nat", &["POSTROUTING"]),
    ("NETMAP", "nat", &[]),
    ("NOTRACK", "raw", &[]),
    ("REDIRECT", "nat", &["PREROUTING", "OUTPUT"]),
    ("REJECT", "filter", &[]),
    ("SNAT", "nat", &["POSTROUTING", "INPUT"]),
    ("TOS", "mangle", &[]),
    ("TPROXY", "mangle", &["PREROUTING"]),
    ("TRACE", "raw", &[]),
    ("TTL", "mangle", &[]),
];

/// Whether a rule with this target can be in the table, in the chain if that is one of the kernel's own.
pub fn belongs(target: &str, table: &str, chain: &str, builtin: bool) -> bool {
    let place = PLACES.iter().find(|(name, ..)| *name == target);
    place.is_none_or(|(_, of, chains)| {
        *of == table && (!builtin || chains.is_empty() || chains.contains(&chain))
    })
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

const RANDOM: Opt = Opt::sure("random", &[]);
const RANDOM_FULLY: Opt = Opt::sure("random-fully", &[]);
const PERSISTENT: Opt = Opt::sure("persistent", &[]);

/// All of them.
pub const TARGETS: &[Extension] = &[
    with(
        "AUDIT",
        &[Opt::sure(
            "type",
            &[|g| list(g, &["accept", "drop", "reject"])],
        )],
        |part, _| any(part, &["type"]),
    ),
    with("CHECKSUM", &[Opt::sure("checksum-fill", &[])], |part, _| {
        any(part, &["checksum-fill"])
    }),
    with(
        "CLASSIFY",
        &[Opt::sure("set-class", &[to::class])],
        |part, _| any(part, &["set-class"]),
    ),
    with(
        "CONNMARK",
        &[
            Opt::sure("set-xmark", &[to::whole_mark]),
            Opt::sure("set-mark", &[to::set_mark]),
            Opt::sure("and-mark", &[to::and_mark]),
            Opt::sure("or-mark", &[to::or_mark]),
            Opt::sure("xor-mark", &[to::xor_mark]),
            Opt::sure("save-mark", &[]),
            Opt::sure("restore-mark", &[]),
            Opt::sure("nfmask", &[to::mask]),
            Opt::sure("ctmask", &[to::mask]),
            Opt::sure("mask", &[to::mask]),
        ],
        |part, _| {
            one_mark(part)?;
            if part.has("save-mark") || part.has("restore-mark") {
                let mask = part
                    .take("mask")
                    .and_then(|mask| mask.values.into_iter().next());
                let mask = mask.as_deref().unwrap_or("0xffffffff");
                part.default("nfmask", &[mask]);
                part.default("ctmask", &[mask]);
            } else if !part.has("set-xmark") {
                return Err("CONNMARK target: No operation specified".into());
            }
            Ok(())
        },
    ),
    with(
        "CT",
        &[
            Opt::sure("notrack", &[]),
            Opt::sure("helper", &[name]),
            Opt::sure("ctevents", &[name]),
            Opt::sure("expevents", &[name]),
            Opt::sure("zone", &[short]),
            Opt::sure("timeout", &[name]),
        ],
        done,
    ),
    with(
        "DNAT",
        &[Opt::sure("to-destination", &[to::nat]), RANDOM, PERSISTENT],
        |part, about| {
            any(part, &["to-destination"])?;
            to::needs_ports(part, "to-destination", about)
        },
    ),
    with(
        "DSCP",
        &[
            Opt::sure("set-dscp", &[lists::dscp]),
            Opt::sure("set-dscp-class", &[lists::dscp_class]),
        ],
        |part, _| {
            exclusive(part, &["set-dscp", "set-dscp-class"])?;
            rename(part, "set-dscp-class", "set-dscp");
            any(part, &["set-dscp"])
        },
    ),
    with(
        "HL",
        &[
            Opt::sure("hl-set", &[byte]),
            Opt::sure("hl-inc", &[some_byte]),
            Opt::sure("hl-dec", &[some_byte]),
        ],
        |part, _| one(part, &["hl-set", "hl-inc", "hl-dec"]),
    ),
    with(
        "LOG",
        &[
            Opt::sure("log-prefix", &[to::log_prefix]),
            Opt::sure("log-level", &[to::log_level]),
            Opt::sure("log-tcp-sequence", &[]),
            Opt::sure("log-tcp-options", &[]),
            Opt::sure("log-ip-options", &[]),
            Opt::sure("log-uid", &[]),
            Opt::sure("log-macdecode", &[]),
        ],
        |part, _| {
            part.leave_out("log-level", "4");
            part.leave_out("log-prefix", "\"\"");
            Ok(())
        },
    ),
    with(
        "MARK",
        &[
            Opt::sure("set-xmark", &[to::whole_mark]),
            Opt::sure("set-mark", &[to::set_mark]),
            Opt::sure("and-mark", &[to::and_mark]),
            Opt::sure("or-mark", &[to::or_mark]),
            Opt::sure("xor-mark", &[to::xor_mark]),
        ],
        |part, _| {
            one_mark(part)?;
            match part.has("set-xmark") {
                true => Ok(()),
                false => Err(
                    "MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required"
                        .into(),
                ),
            }
        },
    ),
    with(
        "MASQUERADE",
        &[
            Opt::sure("to-ports", &[to::port_range]),
            RANDOM,
            RANDOM_FULLY,
        ],
        |part, about| to::needs_ports(part, "to-ports", about),
    ),
    with(
        "NETMAP",
        &[Opt::sure("to", &[masked_address])],
        |part, _| any(part, &["to"]),
    ),
    with(
        "NFLOG",
        &[
            Opt::sure("nflog-prefix", &[words]),
            Opt::sure("nflog-group", &[short]),
            Opt::sure("nflog-size", &[long]),
            Opt::sure("nflog-range", &[long]),
            Opt::sure("nflog-threshold", &[short]),
        ],
        |part, _| {
            part.leave_out("nflog-group", "0");
            part.leave_out("nflog-threshold", "0");
            // Does nothing, so nft does not keep it.
            part.take("nflog-range");
            Ok(())
        },
    ),
    with(
        "NFQUEUE",
        &[
            Opt::sure("queue-balance", &[shorts]),
            Opt::sure("queue-num", &[short]),
            Opt::sure("queue-bypass", &[]),
            Opt::sure("queue-cpu-fanout", &[]),
        ],
        |part, _| {
            if !part.has("queue-balance") {
                part.default("queue-num", &["0"]);
            }
            Ok(())
        },
    ),
    with("NOTRACK", &[], done),
    with(
        "REDIRECT",
        &[Opt::sure("to-ports", &[to::port_range]), RANDOM],
        |part, about| to::needs_ports(part, "to-ports", about),
    ),
    with(
        "REJECT",
        &[Opt::sure("reject-with", &[to::reject])],
        |part, about| {
            part.default(
                "reject-with",
                &[match about.family() {
                    Family::V4 => "icmp-port-unreachable",
                    Family::V6 => "icmp6-port-unreachable",
                }],
            );
            let reset = part.value("reject-with") == Some("tcp-reset");
            match reset && about.protocol != Some("tcp") {
                true => Err("tcp-reset needs `-p tcp'".into()),
                false => Ok(()),
            }
        },
    ),
    with(
        "SET",
        &[
            Opt::sure("add-set", &[name, lists::directions]),
            Opt::sure("del-set", &[name, lists::directions]),
            Opt::sure("map-set", &[name, lists::directions]),
            Opt::sure("exist", &[]),
            Opt::sure("timeout", &[long]),
        ],
        |part, _| any(part, &["add-set", "del-set", "map-set"]),
    ),
    with(
        "SNAT",
        &[
            Opt::sure("to-source", &[to::nat]),
            RANDOM,
            RANDOM_FULLY,
            PERSISTENT,
        ],
        |part, about| {
            any(part, &["to-source"])?;
            to::needs_ports(part, "to-source", about)
        },
    ),
    with(
        "TCPMSS",
        &[
            Opt::sure("set-mss", &[short]),
            Opt::sure("clamp-mss-to-pmtu", &[]),
        ],
        |part, about| match about.protocol == Some("tcp") {
            false => Err("TCPMSS target needs `-p tcp'".into()),
            true => any(part, &["set-mss", "clamp-mss-to-pmtu"]),
        },
    ),
    with(
        "TEE",
        &[Opt::sure("gateway", &[address]), Opt::sure("oif", &[name])],
        |part, _| any(part, &["gateway"]),
    ),
    with(
        "TOS",
        &[
            Opt::sure("set-tos", &[lists::tos]),
            Opt::sure("and-tos", &[to::and_tos]),
            Opt::sure("or-tos", &[to::or_tos]),
            Opt::sure("xor-tos", &[to::xor_tos]),
        ],
        |part, _| {
            for name in ["and-tos", "or-tos", "xor-tos"] {
                rename(part, name, "set-tos");
            }
            any(part, &["set-tos"])
        },
    ),
    with(
        "TPROXY",
        &[
            Opt::sure("on-port", &[short]),
            Opt::sure("on-ip", &[address]),
            Opt::sure("tproxy-mark", &[to::whole_mark]),
        ],
        |part, _| any(part, &["on-port"]),
    ),
    with("TRACE", &[], done),
    with(
        "TTL",
        &[
            Opt::sure("ttl-set", &[byte]),
            Opt::sure("ttl-inc", &[some_byte]),
            Opt::sure("ttl-dec", &[some_byte]),
        ],
        |part, _| one(part, &["ttl-set", "ttl-inc", "ttl-dec"]),
    ),
];

/// The ways to set a mark are one.
fn one_mark(part: &mut Part) -> Result<(), String> {
    for name in ["set-mark", "and-mark", "or-mark", "xor-mark"] {
        if part.has(name) && part.has("set-xmark") {
            let both = format!("{}: only one way to set the mark is allowed", part.name);
            return Err(both);
        }
        rename(part, name, "set-xmark");
    }
    Ok(())
}
