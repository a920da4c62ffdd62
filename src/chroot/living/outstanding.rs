//! What is outstanding when a run ends.
//!
//! How the machine gets what was asked of units shows only then: a later task may enable what an earlier one has started.

use super::{
    machine::Machine,
    record::{How, PutOff},
    units::{
        self,
        act::{Act, Verb},
        tree::Tree,
    },
};
use crate::sys::inroot::Root;

/// All that was put off, in the tasks' order.
pub fn of(machine: &Machine) -> Vec<PutOff> {
    let by_place = machine.record.acts();
    let acts: Vec<&Act> = by_place.values().collect();
    let booted = boots(machine, &acts);
    let mut hows = (0..acts.len()).map(|at| judged(&acts, at, |act| booted.contains(&act)));
    let all = machine.record.all().iter().enumerate();
    all.filter_map(|(place, put_off)| {
        let mut put_off = put_off.clone();
        if by_place.contains_key(&place) {
            put_off.how = hows.next()??;
        }
        Some(put_off)
    })
    .collect()
}

/// Those of `acts` whose unit a boot of the image, as it is now, starts.
fn boots<'a>(machine: &Machine, acts: &[&'a Act]) -> Vec<&'a Act> {
    let Ok(root) = Root::open(&machine.root) else {
        return Vec::new();
    };
    let mut trees: Vec<(_, Tree<'_>)> = Vec::new();
    let mut booted = Vec::new();
    for act in acts {
        if !trees.iter().any(|(scope, _)| *scope == &act.scope) {
            trees.push((&act.scope, Tree::new(&root, &act.scope)));
        }
        let mut found = trees.iter().filter(|(scope, _)| *scope == &act.scope);
        let starts = found.any(|(scope, tree)| units::boots(&root, tree, scope, &tree.unit(&act.unit).id));
        booted.extend(starts.then_some(*act));
    }
    booted
}

/// How the machine gets what `acts[at]` asked for, all of them in their order. `boots` tells what a boot starts.
///
/// Nothing where another act brings it about.
fn judged(acts: &[&Act], at: usize, boots: impl Fn(&Act) -> bool) -> Option<How> {
    let act = acts[at];
    let same = |other: &&&Act| other.scope == act.scope && other.unit == act.unit;
    let started = |acts: &[&Act]| acts.iter().filter(same).any(|act| act.verb == Verb::Start);
    let unit = |verb| How::Unit(act.scope.line(&format!("{verb} {}", act.unit)));
    match (act.verb, boots(act)) {
        // It starts with all that the run has made.
        (Verb::Start | Verb::Refresh, true) => Some(How::ByBoot),
        (Verb::Start, false) => Some(unit("start")),
        (Verb::Refresh, false) => None,
        // What comes later has the last word.
        (Verb::Stop, true) if started(&acts[at + 1..]) => Some(How::ByBoot),
        (Verb::Stop, true) => Some(unit("stop")),
        (Verb::Stop, false) if started(&acts[..at]) => Some(unit("stop")),
        (Verb::Stop, false) => Some(How::ByBoot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::units::scope::Scope;

    fn hows(boots: bool, verbs: &[Verb]) -> Vec<Option<How>> {
        let acts: Vec<Act> = verbs
            .iter()
            .map(|verb| Act {
                scope: Scope::System,
                unit: "x.service".into(),
                verb: *verb,
            })
            .collect();
        let acts: Vec<&Act> = acts.iter().collect();
        (0..acts.len()).map(|at| judged(&acts, at, |_| boots)).collect()
    }

    fn unit(verb: &str) -> Option<How> {
        Some(How::Unit(format!("systemctl {verb} x.service")))
    }

    #[test]
    fn what_boot_starts_needs_no_start() {
        use Verb::{Refresh, Start, Stop};
        let by_boot = Some(How::ByBoot);
        assert_eq!(hows(true, &[Start, Refresh]), [by_boot.clone(), by_boot.clone()]);
        assert_eq!(hows(true, &[Stop, Start]), [by_boot.clone(), by_boot.clone()]);
        assert_eq!(hows(true, &[Start, Stop]), [by_boot, unit("stop")]);
    }

    #[test]
    fn what_boot_does_not_start_is_started_once_and_stopped_again() {
        use Verb::{Refresh, Start, Stop};
        assert_eq!(hows(false, &[Stop]), [Some(How::ByBoot)]);
        assert_eq!(hows(false, &[Start, Refresh, Stop]), [unit("start"), None, unit("stop")]);
    }
}
