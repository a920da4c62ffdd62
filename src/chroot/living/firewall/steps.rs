//! Steps of the first boot that load rules, and finding those of an earlier run.

use std::{fs, path::Path};

use super::{
    iptables::program_of,
    names::{Family, read},
};

/// Where the steps of the first boot are that an earlier run has left.
const STEPS: &str = "var/lib/pichroot/first-boot/steps";
/// Ends the lines that a step has for a program.
pub const END: &str = "PICHROOT_RULES";
/// How a step begins that loads tables of nft.
pub const BEGIN_NFT: &str = "nft -f - <<'PICHROOT_RULES'\n";
/// How a step begins that loads sets of addresses.
pub const BEGIN_SETS: &str = "ipset restore -exist <<'PICHROOT_RULES'\n";

/// How a step begins that adds rules of a family.
pub fn begin_restore(family: Family) -> String {
    format!("{}-restore --noflush <<'{END}'\n", program_of(family))
}

/// Gives `load` what the first boot loads for an earlier run, by steps that begin so: it is part of what the machine will have.
pub fn earlier(begin: &str, root: &Path, mut load: impl FnMut(&str)) {
    let mut steps: Vec<_> = match fs::read_dir(root.join(STEPS)) {
        Ok(steps) => steps
            .take(10_000)
            .flatten()
            .map(|step| step.path())
            .collect(),
        Err(_) => return,
    };
    steps.sort();
    for text in steps.iter().filter_map(|step| read(step)) {
        for rules in text.split(begin).skip(1) {
            load(rules.split(END).next().unwrap_or_default());
        }
    }
}
