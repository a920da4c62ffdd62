//! How often programs of the image were started, and how.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::twins::dispatcher::{
    self,
    format::{COUNTS, SLOTS, Slot},
};

/// How often each program was started, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starts {
    /// By a twin.
    pub twinned: Vec<(String, u32)>,
    /// By the emulator.
    pub emulated: Vec<(String, u32)>,
}

impl Starts {
    /// Reads what was counted in `folder`. Programs of the image can write there, so it is no more than a hint.
    pub fn read(folder: &Path) -> Self {
        let size = (SLOTS * size_of::<Slot>()) as u64;
        let path = folder.join(COUNTS);
        let bytes = std::fs::metadata(&path)
            .ok()
            .filter(|meta| meta.len() == size)
            .and_then(|_| std::fs::read(&path).ok())
            .unwrap_or_default();
        let mut starts = Starts::default();
        for slot in dispatcher::counts(&bytes) {
            let end = slot.name.iter().position(|b| *b == 0);
            let name = &slot.name[..end.unwrap_or(slot.name.len())];
            let name = String::from_utf8_lossy(name).into_owned();
            let counts = [
                (slot.twinned, &mut starts.twinned),
                (slot.emulated, &mut starts.emulated),
            ];
            for (count, list) in counts {
                if count > 0 {
                    list.push((name.clone(), count));
                }
            }
        }
        for list in [&mut starts.twinned, &mut starts.emulated] {
            list.sort_by(|(a, one), (b, other)| other.cmp(one).then(a.cmp(b)));
        }
        starts
    }

    /// In one line; of each kind the `most` frequent by name. `None` when nothing was started.
    pub fn summary(&self, most: usize) -> Option<String> {
        let total = |list: &[(String, u32)]| list.iter().map(|(_, n)| u64::from(*n)).sum::<u64>();
        let (twinned, emulated) = (total(&self.twinned), total(&self.emulated));
        let names = |list: &[(String, u32)]| {
            let shown = list.iter().take(most);
            let mut names = shown
                .map(|(name, n)| format!("{name} {n}"))
                .collect::<Vec<_>>();
            if list.len() > most {
                names.push("...".to_owned());
            }
            match names.is_empty() {
                true => String::new(),
                false => format!(" ({})", names.join(", ")),
            }
        };
        (twinned + emulated > 0).then(|| {
            format!(
                "programs of the image started: {twinned} by twins{}, {emulated} emulated{}",
                names(&self.twinned),
                names(&self.emulated)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_most_frequent() {
        let list = |pairs: &[(&str, u32)]| {
            pairs
                .iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect::<Vec<_>>()
        };
        let starts = Starts {
            twinned: list(&[("sh", 7), ("cp", 2), ("mv", 1)]),
            emulated: list(&[("dpkg", 3)]),
        };
        assert_eq!(
            starts.summary(2).unwrap(),
            "programs of the image started: 10 by twins (sh 7, cp 2, ...), 3 emulated (dpkg 3)"
        );
        assert_eq!(Starts::default().summary(2), None);
    }

    #[test]
    fn what_programs_of_the_image_wrote_there_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Starts::read(dir.path()), Starts::default());
        let path = dir.path().join(COUNTS);
        std::fs::write(&path, [0xff; 100]).unwrap();
        assert_eq!(Starts::read(dir.path()), Starts::default());
        std::fs::write(&path, vec![0xff; SLOTS * size_of::<Slot>()]).unwrap();
        let starts = Starts::read(dir.path());
        assert_eq!(starts.twinned.len(), SLOTS);
        assert!(starts.summary(1).is_some());
    }
}
