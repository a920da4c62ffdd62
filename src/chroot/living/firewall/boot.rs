//! What a boot loads: the files of the distribution's packages, if they are enabled.

use std::path::Path;

use super::{
    ipset::Sets,
    iptables::{self, How, Tables},
    names::{Family, Names, read},
    nft::{self, ruleset::Ruleset},
    steps::{self, BEGIN_NFT, BEGIN_SETS},
};
use crate::{
    chroot::living::units::{self, scope::Scope, tree::Tree},
    sys::inroot::Root,
};

/// A package that loads rules at boot.
struct Package {
    /// Its unit for each family; the second may be the first.
    units: [&'static str; 2],
    /// What it needs besides for each family.
    needs: [&'static str; 2],
    /// The files that it loads.
    files: [&'static str; 2],
}

const PACKAGES: &[Package] = &[
    // Debian and what comes from it: iptables-persistent.
    Package {
        units: ["netfilter-persistent.service"; 2],
        needs: [
            "/usr/share/netfilter-persistent/plugins.d/15-ip4tables",
            "/usr/share/netfilter-persistent/plugins.d/25-ip6tables",
        ],
        files: ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"],
    },
    // Fedora and what comes from it: iptables-services.
    Package {
        units: ["iptables.service", "ip6tables.service"],
        needs: [
            "/usr/libexec/iptables/iptables.init",
            "/usr/libexec/iptables/ip6tables.init",
        ],
        files: ["/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"],
    },
    // Arch.
    Package {
        units: ["iptables.service", "ip6tables.service"],
        needs: ["/usr/share/iptables/empty.rules"; 2],
        files: [
            "/etc/iptables/iptables.rules",
            "/etc/iptables/ip6tables.rules",
        ],
    },
];

/// The file with a family's rules that a boot loads, whether it is there yet or not.
pub fn file(family: Family, root: &Path) -> Option<&'static str> {
    let at = family as usize;
    let loads = |package: &&Package| {
        let needs = root.join(package.needs[at].trim_start_matches('/'));
        needs.is_file() && enabled(package.units[at], root)
    };
    PACKAGES.iter().find(loads).map(|package| package.files[at])
}

/// The tables that a boot makes.
pub fn tables(names: &Names, root: &Path) -> Tables {
    let mut tables = Tables::default();
    load_file(&mut tables, names, root);
    load_ufw(&mut tables, names, root);
    steps::earlier(&steps::begin_restore(names.family), root, |text| {
        load(&mut tables, text, true, names);
    });
    tables
}

/// Loads the file of the distribution's package: its tables are then as it says, others stay.
pub fn load_file(tables: &mut Tables, names: &Names, root: &Path) {
    let file = file(names.family, root).map(|file| root.join(&file[1..]));
    if let Some(text) = file.and_then(|file| read(&file)) {
        load(tables, &text, false, names);
    }
}

/// Loads what ufw loads, if it is on: its chains are then as its files say, others stay.
pub fn load_ufw(tables: &mut Tables, names: &Names, root: &Path) {
    tables.forget("ufw");
    if ufw_is_on(root) {
        for text in ufw(names.family, root) {
            load(tables, &text, true, names);
        }
    }
}

/// What a boot cannot load is not there.
fn load(tables: &mut Tables, text: &str, keep: bool, names: &Names) {
    let how = How {
        keep,
        program: "iptables-restore".into(),
        ..How::default()
    };
    let _ = iptables::restore(tables, text, &how, names);
}

/// The file that nft's unit loads, where it is enabled.
pub fn nft_file(root: &Path) -> Option<&'static str> {
    let files = ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"];
    let there = |file: &&&str| root.join(&file[1..]).is_file();
    files
        .iter()
        .find(there)
        .filter(|_| enabled("nftables.service", root))
        .copied()
}

/// The tables of nft that a boot makes.
pub fn ruleset(root: &Path) -> Ruleset {
    let mut rules = Ruleset::default();
    load_nft(&mut rules, root);
    steps::earlier(BEGIN_NFT, root, |text| {
        let _ = nft::run(&mut rules, text, root, Path::new("/etc"));
    });
    rules
}

/// Loads the file that nft's unit loads.
pub fn load_nft(rules: &mut Ruleset, root: &Path) {
    if let Some(file) = nft_file(root)
        && let Some(text) = read(&root.join(&file[1..]))
    {
        let _ = nft::run(rules, &text, root, Path::new("/etc"));
    }
}

/// The file with sets of addresses that a boot loads, whether it is there yet or not.
pub fn sets_file(root: &Path) -> Option<&'static str> {
    let plugin = root.join("usr/share/netfilter-persistent/plugins.d/10-ipset");
    let on = plugin.is_file() && enabled("netfilter-persistent.service", root);
    on.then_some("/etc/iptables/ipsets")
}

/// The sets of addresses that a boot makes.
pub fn sets(root: &Path) -> Sets {
    let mut sets = Sets::default();
    if let Some(file) = sets_file(root)
        && let Some(text) = read(&root.join(&file[1..]))
    {
        let _ = sets.restore(&text, true);
    }
    steps::earlier(BEGIN_SETS, root, |text| {
        let _ = sets.restore(text, true);
    });
    sets
}

/// Whether a boot starts the unit.
pub fn enabled(unit: &str, root: &Path) -> bool {
    Root::open(root).is_ok_and(|root| boots(unit, &root))
}

fn boots(unit: &str, root: &Root) -> bool {
    let tree = Tree::new(root, &Scope::System);
    units::boots(root, &tree, &Scope::System, &tree.unit(unit).id)
}

/// Whether ufw is on, by its own word and as a service.
pub fn ufw_is_on(root: &Path) -> bool {
    Root::open(root).is_ok_and(|root| ufw_boots(&root))
}

fn ufw_boots(root: &Root) -> bool {
    let set = setting(root, "etc/ufw/ufw.conf", "ENABLED");
    set.is_some_and(|on| on.eq_ignore_ascii_case("yes")) && boots("ufw.service", root)
}

/// The file of sysctl's that ufw reads at every boot, where it is on.
pub fn ufw_sysctl(root: &Root) -> Option<String> {
    let file = setting(root, "etc/default/ufw", "IPT_SYSCTL").filter(|file| !file.is_empty())?;
    ufw_boots(root).then(|| file.trim_start_matches('/').to_owned())
}

/// The most that is read of a file of settings.
const MAX_SETTINGS: u64 = 256 << 10;

/// A value of a file that a shell reads.
fn setting(root: &Root, file: &str, name: &str) -> Option<String> {
    let text = root.read(file.as_ref(), MAX_SETTINGS).ok()?;
    let lines = text.lines().rev();
    let value = { lines }.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// What ufw's own script loads, one text after another, each added to what is there.
fn ufw(family: Family, root: &Path) -> Vec<String> {
    let Ok(files) = Root::open(root) else {
        return Vec::new();
    };
    let six = if family == Family::V6 { "6" } else { "" };
    let default = |name: &str| setting(&files, "etc/default/ufw", name).unwrap_or_default();
    if family == Family::V6 && !default("IPV6").eq_ignore_ascii_case("yes") {
        let text = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n\
                    -A INPUT -i lo -j ACCEPT\n-A OUTPUT -o lo -j ACCEPT\nCOMMIT\n";
        return vec![text.to_owned()];
    }
    let ways = ["input", "output", "forward"];
    let policy = |way: &str| default(&format!("DEFAULT_{}_POLICY", way.to_uppercase()));
    let table = |lines: Vec<String>| format!("*filter\n{}\nCOMMIT\n", lines.join("\n"));
    let mut texts = Vec::new();

    let kinds = [
        "before-logging",
        "before",
        "after",
        "after-logging",
        "reject",
        "track",
    ];
    let mut lines = Vec::new();
    for kind in kinds {
        lines.extend(ways.map(|way| format!(":ufw{six}-{kind}-{way} - [0:0]")));
    }
    for way in ["input", "output", "forward"] {
        let chain = way.to_uppercase();
        lines.extend(kinds.map(|kind| format!("-A {chain} -j ufw{six}-{kind}-{way}")));
    }
    for way in ways {
        match policy(way).as_str() {
            "REJECT" => lines.push(format!("-A ufw{six}-reject-{way} -j REJECT")),
            "ACCEPT" => {
                let track = format!("-A ufw{six}-track-{way} -p");
                let new = "-m conntrack --ctstate NEW -j ACCEPT";
                lines.extend(["tcp", "udp"].map(|protocol| format!("{track} {protocol} {new}")));
            }
            _ => {}
        }
    }
    lines.extend(["deny", "allow"].map(|kind| format!(":ufw{six}-logging-{kind} - [0:0]")));
    lines.extend(ways.map(|way| format!(":ufw{six}-skip-to-policy-{way} - [0:0]")));
    lines.extend(ways.map(|way| format!("-A ufw{six}-skip-to-policy-{way} -j {}", policy(way))));
    texts.push(table(lines));

    let file = |name: &str| read(&root.join(format!("etc/ufw/{name}{six}.rules")));
    texts.extend(file("before"));
    texts.extend(file("after"));
    if let Some(user) = file("user").filter(|text| !text.is_empty()) {
        let chains = [
            "input",
            "output",
            "forward",
            "logging-input",
            "logging-output",
            "logging-forward",
            "limit",
            "limit-accept",
        ];
        let chains = chains.map(|chain| format!(":ufw{six}-user-{chain} - [0:0]"));
        texts.push(table(chains.to_vec()));
        texts.push(user);
        let hooks = ways.map(|way| format!("-A ufw{six}-before-{way} -j ufw{six}-user-{way}"));
        texts.push(table(hooks.to_vec()));
    }
    let policies = ways.map(|way| {
        let policy = policy(way).replace("REJECT", "DROP");
        format!(":{} {policy} [0:0]", way.to_uppercase())
    });
    texts.push(table(policies.to_vec()));
    texts
}
