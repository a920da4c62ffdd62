//! Whether the words of a rule can be one: without a kernel, as far as that goes.

use super::lexer::{Token, Wrong};

/// What a rule, and each statement of it, may begin with, with the fields that must follow where there are such.
const WORDS: &[(&str, &str)] = &[
    ("ah", "nexthdr hdrlength reserved spi sequence"),
    ("arp", "htype ptype hlen plen operation saddr daddr"),
    ("comp", "nexthdr flags cpi"),
    (
        "ct",
        "state direction status mark expiration helper label l3proto saddr daddr protocol proto-src proto-dst \
         packets bytes avgpkt zone original reply count event timeout expectation id secmark",
    ),
    ("dccp", "sport dport type option"),
    ("dst", "nexthdr hdrlength"),
    ("esp", "spi sequence"),
    ("ether", "daddr saddr type"),
    ("fib", ""),
    (
        "frag",
        "nexthdr reserved frag-off more-fragments id reserved2",
    ),
    ("hbh", "nexthdr hdrlength"),
    ("icmp", "type code checksum id sequence gateway mtu"),
    (
        "icmpv6",
        "type code checksum parameter-problem packet-too-big id sequence max-delay taddr daddr mtu",
    ),
    ("igmp", "type mrt checksum group"),
    (
        "ip",
        "version hdrlength dscp ecn length id frag-off ttl protocol checksum saddr daddr option to prefix addr interval",
    ),
    (
        "ip6",
        "version dscp ecn flowlabel length nexthdr hoplimit saddr daddr to prefix addr interval",
    ),
    (
        "meta",
        "length protocol nfproto l4proto mark priority skuid skgid rtclassid iif iifname iiftype iifkind iifgroup \
         oif oifname oiftype oifkind oifgroup cpu pkttype cgroup random ipsec secpath nftrace ibrname obrname \
         ibridgename obridgename ibrvproto ibrpvid secmark sdif sdifname time day hour broute",
    ),
    ("mh", "nexthdr hdrlength type reserved checksum"),
    (
        "rt",
        "nexthdr hdrlength type seg-left classid nexthop mtu ipsec ip ip6",
    ),
    ("rt0", "addr"),
    ("sctp", "sport dport vtag checksum chunk"),
    ("socket", "transparent mark wildcard cgroupv2"),
    (
        "tcp",
        "sport dport sequence ackseq doff reserved flags window checksum urgptr option",
    ),
    ("th", "sport dport"),
    ("udp", "sport dport length checksum"),
    ("udplite", "sport dport checksum"),
    ("vlan", "id dei pcp cfi type"),
];

/// What a rule may begin with, and be followed by anything.
const STARTS: &[&str] = &[
    "accept",
    "drop",
    "reject",
    "return",
    "jump",
    "goto",
    "continue",
    "queue",
    "log",
    "counter",
    "limit",
    "quota",
    "masquerade",
    "snat",
    "dnat",
    "redirect",
    "mark",
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "iifgroup",
    "oifgroup",
    "iifkind",
    "oifkind",
    "skuid",
    "skgid",
    "nftrace",
    "pkttype",
    "cgroup",
    "l4proto",
    "nfproto",
    "protocol",
    "length",
    "priority",
    "cpu",
    "rtclassid",
    "osf",
    "numgen",
    "jhash",
    "symhash",
    "set",
    "add",
    "update",
    "delete",
    "dup",
    "fwd",
    "notrack",
    "flow",
    "tproxy",
    "synproxy",
    "meter",
    "comment",
    "ipsec",
    "exthdr",
    "srh",
    "ibrname",
    "obrname",
    "random",
    "secmark",
    "time",
    "day",
    "hour",
    "last",
    "gre",
    "gretap",
    "geneve",
    "vxlan",
    "reset",
    "map",
    "vmap",
    "ibriport",
    "obriport",
    "sdif",
    "sdifname",
    "xt",
];

/// After these, a protocol's name is only a name.
const NAMED_AFTER: &[&str] = &[
    "l4proto", "protocol", "nexthdr", "nfproto", "l3proto", "type", "with", "{", ",", ".", "!=",
    "==", ":", "set", "ether", "dnat", "snat", "tproxy", "prefix", "vmap", "map",
];

/// Finds what is no rule.
pub fn check(rule: &[Token]) -> Result<(), Wrong> {
    let Some(first) = rule.first() else {
        return Ok(());
    };
    let known = |word: &str| {
        STARTS.contains(&word) || fields(word).is_some() || word.starts_with(['@', '$', '('])
    };
    if !known(first.text.as_str()) {
        return Err(unexpected(first));
    }
    let mut depth = 0;
    for (at, token) in rule.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        let before = at.checked_sub(1).map(|at| rule[at].text.as_str());
        if depth > 0 || before.is_some_and(|word| NAMED_AFTER.contains(&word)) {
            continue;
        }
        let wanted = fields(&token.text).filter(|fields| !fields.is_empty());
        let Some(wanted) = wanted else { continue };
        match rule.get(at + 1) {
            Some(field) if wanted.split_whitespace().any(|one| one == field.text) => {}
            // A header that is tested for, or read at a place.
            Some(field) if ["exists", "missing", "nexthdr"].contains(&field.text.as_str()) => {}
            Some(field) => return Err(unexpected(field)),
            None => {
                let end = token.at.end..token.at.end + 1;
                let what = "syntax error, unexpected newline".into();
                return Err(Wrong { what, at: end });
            }
        }
    }
    if depth != 0 {
        return Err(first.wrong("syntax error, unexpected end of file"));
    }
    Ok(())
}

fn fields(word: &str) -> Option<&'static str> {
    WORDS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, fields)| *fields)
}

/// As nft says it.
pub fn unexpected(token: &Token) -> Wrong {
    let text = token.text.as_str();
    let kind = match text {
        ";" => "newline or semicolon".to_owned(),
        "{" | "}" | "," | "=" => format!("'{text}'"),
        text if text.starts_with('"') => "quoted string".to_owned(),
        text if STARTS.contains(&text) || fields(text).is_some() => text.to_owned(),
        _ => "string".to_owned(),
    };
    token.wrong(format!("syntax error, unexpected {kind}"))
}

#[cfg(test)]
mod tests {
    use super::{super::lexer::tokens, *};

    #[test]
    fn rules_are_told_from_what_is_none() {
        for good in [
            "tcp dport { 22, 80 } ct state new counter accept comment \"x\"",
            "meta l4proto tcp th dport 53 redirect to :5353",
            "ip protocol icmp icmp type { echo-request } limit rate 4/second accept",
            "reject with icmpx type port-unreachable",
            "reject with tcp reset",
            "ip saddr @blocked drop",
            "iifname \"lo\" accept",
            "oifname $wan masquerade",
            "dnat ip to 10.0.0.1:80",
            "ct state vmap { established : accept, related : accept, invalid : drop }",
            "fib daddr . iif type != { local, broadcast, multicast } drop",
            "tcp flags & (fin|syn|rst|ack) == syn counter",
            "meta nfproto ipv4 udp dport 67-68 accept",
            "add @meter { ip saddr limit rate over 10/second } drop",
            "ct original ip daddr 10.0.0.1 accept",
        ] {
            assert_eq!(check(&tokens(good).unwrap()), Ok(()), "{good}");
        }
        for (bad, at) in [
            ("tcp dprot 22 accept", 4..9),
            ("foo bar", 0..3),
            ("ct stat new accept", 3..7),
            ("tcp", 3..4),
        ] {
            assert_eq!(check(&tokens(bad).unwrap()).unwrap_err().at, at, "{bad}");
        }
    }
}
