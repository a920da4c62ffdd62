//! What was put off to the first boot, in the order in which tasks asked for it.

use std::collections::BTreeMap;

use super::units::act::Act;

/// The most that are kept. Of what a file or any boot does, the rest is only counted; a step of the unit more is an
/// error at the end.
const MAX_RECORDS: usize = 2000;
/// The longest steps of a unit, all together, in bytes.
const MAX_LINES: usize = 4 << 20;
/// The longest line for a unit that is to start or stop.
const MAX_ACT: usize = 1 << 10;

/// Something that only a running machine can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOff {
    /// What was asked for, as people type it.
    pub what: String,
    /// The task that asked for it.
    pub task: Option<String>,
    /// How the machine gets it.
    pub how: How,
}

/// How the machine gets what was put off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Every boot does it anyway, such as starting a service that is enabled.
    ByBoot,
    /// What brings it about is in the image, in this file.
    Carried(String),
    /// The unit of the first boot runs these lines of shell.
    Unit(String),
}

/// All of it.
#[derive(Debug, Default)]
pub struct Record {
    /// The task that runs now.
    pub task: Option<String>,
    put_off: Vec<PutOff>,
    /// Those that are judged at the end, by their place.
    acts: BTreeMap<usize, Act>,
    /// The length of all lines of [`How::Unit`].
    length: usize,
    more: usize,
    lost: usize,
}

impl Record {
    /// Notes that `what` was put off, by the task that runs now. The same thing by the same task is noted once, unless
    /// the unit does it: two equal steps may be meant, and what is between them counts.
    pub fn put_off(&mut self, what: impl Into<String>, how: How) {
        let what = what.into();
        let task = self.task.clone();
        let length = match &how {
            How::Unit(lines) => Some(what.len() + lines.len()),
            _ => None,
        };
        let new = PutOff { what, task, how };
        if length.is_none() && self.put_off.contains(&new) {
            return;
        }
        let full = self.put_off.len() >= MAX_RECORDS;
        match length {
            Some(length) if full || self.length + length > MAX_LINES => self.lost += 1,
            None if full => self.more += 1,
            length => {
                self.length += length.unwrap_or_default();
                self.put_off.push(new);
            }
        }
    }

    /// Notes that `what` was put off, where it shows [at the end](super::outstanding) how the machine gets it. Its place, by which
    /// that is [told](Self::settle). What the unit is to run then is at most so long.
    pub fn put_off_until_judged(&mut self, what: String, longest: usize) -> Option<usize> {
        let length = what.len() + longest;
        if self.put_off.len() >= MAX_RECORDS || self.length + length > MAX_LINES {
            self.lost += 1;
            return None;
        }
        self.length += length;
        let (task, how) = (self.task.clone(), How::ByBoot);
        self.put_off.push(PutOff { what, task, how });
        Some(self.put_off.len() - 1)
    }

    /// Notes that a unit is to do something.
    pub fn put_off_act(&mut self, what: impl Into<String>, act: Act) {
        let what = what.into();
        let mut acts = self.acts.iter().rev();
        let last = acts.find(|(_, other)| other.unit == act.unit && other.scope == act.scope);
        if let Some((at, other)) = last {
            let same = self.put_off[*at].what == what && self.put_off[*at].task == self.task;
            if same && *other == act {
                return;
            }
        }
        if let Some(place) = self.put_off_until_judged(what, MAX_ACT) {
            self.acts.insert(place, act);
        }
    }

    /// What is judged at the end, by its place in [all](Self::all).
    pub fn acts(&self) -> &BTreeMap<usize, Act> {
        &self.acts
    }

    /// Notes how the machine gets what was judged, and forgets what it has anyway. Places are none any more.
    pub fn settle(&mut self, hows: Vec<(usize, Option<How>)>) {
        self.acts.clear();
        let mut forgotten = Vec::new();
        for (place, how) in hows {
            match how {
                Some(how) => self.put_off[place].how = how,
                None => forgotten.push(place),
            }
        }
        forgotten.sort_unstable();
        for place in forgotten.into_iter().rev() {
            self.put_off.remove(place);
        }
    }

    /// All of it, in order.
    pub fn all(&self) -> &[PutOff] {
        &self.put_off
    }

    /// How much more was put off that needs no step of the unit.
    pub fn more(&self) -> usize {
        self.more
    }

    /// How many steps the unit was to have beside these.
    pub fn lost(&self) -> usize {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_judged_at_the_end_keeps_its_place() {
        let mut record = Record::default();
        let places = ["a", "b", "c"].map(|what| {
            record.put_off("between", How::Unit("x".into()));
            record.put_off_until_judged(what.into(), 10).unwrap()
        });
        record.settle(vec![
            (places[2], None),
            (places[0], None),
            (places[1], Some(How::Carried("/f".into()))),
        ]);
        let all = record.all().iter().map(|put_off| put_off.what.as_str());
        assert_eq!(
            all.collect::<Vec<_>>(),
            ["between", "between", "b", "between"]
        );
        assert_eq!(record.all()[2].how, How::Carried("/f".into()));
    }

    #[test]
    fn only_steps_are_noted_again_and_none_is_lost_unseen() {
        let mut record = Record::default();
        for _ in 0..2 {
            record.put_off("reboot", How::ByBoot);
            record.put_off("iptables -A x", How::Unit("iptables -A x".into()));
        }
        record.task = Some("another".into());
        record.put_off("reboot", How::ByBoot);
        assert_eq!(record.all().len(), 4);
        record.put_off("long", How::Unit("x".repeat(MAX_LINES)));
        assert_eq!((record.all().len(), record.lost()), (4, 1));
        for number in 0..MAX_RECORDS {
            record.put_off(format!("start {number}"), How::ByBoot);
        }
        record.put_off("one more", How::Unit(String::new()));
        assert_eq!(record.all().len(), MAX_RECORDS);
        assert_eq!((record.more(), record.lost()), (4, 2));
    }
}
