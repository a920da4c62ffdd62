//! Steps of the first boot that load rules, and finding those of an earlier run.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// Gives `load` what the first boot loads for an earlier run, by steps that begin so: it is part of what the machine will
/// have. Returns whether there was any.
pub fn earlier(begin: &str, root: &Path, mut load: impl FnMut(&str)) -> bool {
    let mut any = false;
    for text in steps(root).iter().filter_map(|step| read(step)) {
        for rules in text.split(begin).skip(1) {
            any = true;
            load(rules.split(&end()).next().unwrap_or_default());
        }
    }
    any
}

/// Takes what begins so out of the steps: a file has it now.
pub fn forget(begin: &str, root: &Path) {
    for step in steps(root) {
        let Some(text) = read(&step).filter(|text| text.contains(begin)) else {
            continue;
        };
        let mut parts = text.split(begin);
        let mut left = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            left += part.split_once(&end()).map_or("", |(_, rest)| rest);
        }
        // The same file, so that it is still only root's. What cannot be written is done twice.
        let _ = fs::write(step, left);
    }
}

fn end() -> String {
    format!("\n{END}\n")
}

fn steps(root: &Path) -> Vec<PathBuf> {
    let steps = fs::read_dir(root.join(STEPS)).into_iter().flatten();
    let mut steps: Vec<_> = steps
        .take(10_000)
        .flatten()
        .map(|step| step.path())
        .collect();
    steps.sort();
    steps
}
