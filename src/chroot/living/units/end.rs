//! How the machine gets what was asked of units. That shows only at the end of a run: a later task may enable what an
//! earlier one has started.

use std::{collections::BTreeMap, path::Path};

use super::{
    act::{Act, Verb},
    boots,
    tree::Tree,
};
use crate::{chroot::living::record::How, sys::inroot::Root};

/// How the machine of the image below `root` gets what `acts` ask for, each by its place.
pub fn judged(root: &Path, acts: &BTreeMap<usize, Act>) -> Vec<(usize, How)> {
    let all: Vec<&Act> = acts.values().collect();
    let booted = booted(root, &all);
    let how = |at| how(&all, at, |act| booted.contains(&act));
    acts.keys()
        .enumerate()
        .map(|(at, place)| (*place, how(at)))
        .collect()
}

/// Those of `acts` whose unit a boot of the image, as it is now, starts.
fn booted<'a>(root: &Path, acts: &[&'a Act]) -> Vec<&'a Act> {
    let Ok(root) = Root::open(root) else {
        return Vec::new();
    };
    let mut trees: Vec<(_, Tree<'_>)> = Vec::new();
    let mut booted = Vec::new();
    for act in acts {
        if !trees.iter().any(|(scope, _)| *scope == &act.scope) {
            trees.push((&act.scope, Tree::new(&root, &act.scope)));
        }
        let mut found = trees.iter().filter(|(scope, _)| *scope == &act.scope);
        let starts = found.any(|(scope, tree)| boots(&root, tree, scope, &tree.unit(&act.unit).id));
        booted.extend(starts.then_some(*act));
    }
    booted
}

/// How the machine gets what `acts[at]` asked for, all of them in their order. `boots` tells what a boot starts.
/// Where there are no lines, those of another do it.
fn how(acts: &[&Act], at: usize, boots: impl Fn(&Act) -> bool) -> How {
    let act = acts[at];
    let same = |other: &&&Act| other.scope == act.scope && other.unit == act.unit;
    let started = |acts: &[&Act]| acts.iter().filter(same).any(|act| act.verb == Verb::Start);
    let unit = |verb| How::Unit(act.scope.line(&format!("{verb} {}", act.unit)));
    match (act.verb, boots(act)) {
        // It starts with all that the run has made.
        (Verb::Start | Verb::Refresh, true) => How::ByBoot,
        (Verb::Start, false) => unit("start"),
        (Verb::Refresh, false) => How::Unit(String::new()),
        // What comes later has the last word.
        (Verb::Stop, true) if started(&acts[at + 1..]) => How::ByBoot,
        (Verb::Stop, true) => unit("stop"),
        (Verb::Stop, false) if started(&acts[..at]) => unit("stop"),
        (Verb::Stop, false) => How::ByBoot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::units::scope::Scope;

    fn hows(boots: bool, verbs: &[Verb]) -> Vec<How> {
        let act = |verb: &Verb| Act {
            scope: Scope::System,
            unit: "x.service".into(),
            verb: *verb,
        };
        let acts: Vec<Act> = verbs.iter().map(act).collect();
        let acts: Vec<&Act> = acts.iter().collect();
        (0..acts.len())
            .map(|at| how(&acts, at, |_| boots))
            .collect()
    }

    fn unit(verb: &str) -> How {
        How::Unit(format!("systemctl {verb} x.service"))
    }

    #[test]
    fn what_boot_starts_needs_no_start() {
        use Verb::{Refresh, Start, Stop};
        assert_eq!(hows(true, &[Start, Refresh]), [How::ByBoot, How::ByBoot]);
        assert_eq!(hows(true, &[Stop, Start]), [How::ByBoot, How::ByBoot]);
        assert_eq!(hows(true, &[Start, Stop]), [How::ByBoot, unit("stop")]);
    }

    #[test]
    fn what_boot_does_not_start_is_started_and_stopped_again() {
        use Verb::{Refresh, Start, Stop};
        assert_eq!(hows(false, &[Stop]), [How::ByBoot]);
        let nothing_more = How::Unit(String::new());
        assert_eq!(
            hows(false, &[Start, Refresh, Stop]),
            [unit("start"), nothing_more, unit("stop")]
        );
    }
}
