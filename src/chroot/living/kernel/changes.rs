//! What tasks have changed of the kernel, in order.

use std::collections::BTreeSet;

use super::subject::Subject;
use crate::chroot::living::record::{How, Record};

/// The changes, each with its place in the record.
#[derive(Debug, Default)]
pub struct Changes {
    noted: Vec<(usize, Subject)>,
    /// Places of what later ones have undone.
    undone: BTreeSet<usize>,
}

impl Changes {
    /// Notes that `what` asked for this.
    pub fn note(&mut self, record: &mut Record, what: String, subject: Subject) {
        self.undo(&subject);
        // A value is quoted, and with its path.
        let longest = subject.line().len() + 4 * what.len() + 128;
        if let Some(place) = record.put_off_until_judged(what, longest) {
            self.noted.push((place, subject));
        }
    }

    /// Forgets an earlier change of the same thing, and returns it.
    pub fn undo(&mut self, subject: &Subject) -> Option<Subject> {
        let mut noted = self.noted.iter();
        let found = noted.position(|(_, other)| other.about() == subject.about())?;
        let (place, subject) = self.noted.remove(found);
        self.undone.insert(place);
        Some(subject)
    }

    /// Forgets changes that a boot undoes, unless the machine gets them all the same.
    pub fn boot(&mut self, how: impl Fn(&Subject) -> Option<How>) {
        let undone = &mut self.undone;
        self.noted.retain(|(place, subject)| {
            let kept = || matches!(how(subject), Some(How::Carried(_) | How::ByBoot));
            let lasts = !subject.ends_with_a_boot() || kept();
            if !lasts {
                undone.insert(*place);
            }
            lasts
        });
    }

    /// How the machine gets each, by its place; none of what it has anyway. They are none any more.
    pub fn judged(&mut self, how: impl Fn(&Subject) -> Option<How>) -> Vec<(usize, Option<How>)> {
        let Changes { noted, undone } = std::mem::take(self);
        let undone = undone.into_iter().map(|place| (place, None));
        let judged = noted.iter().map(|(place, subject)| (*place, how(subject)));
        undone.chain(judged).collect()
    }
}
