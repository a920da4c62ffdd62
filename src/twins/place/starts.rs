//! How often programs of the image were started, and how.

use std::path::Path;

use crate::{
    event::Starts,
    twins::dispatcher::{
        self,
        format::{COUNTS, SLOTS, Slot},
    },
};

/// Reads what was counted in `folder`. Programs of the image can write there, so it is no more than a hint.
pub fn read(folder: &Path) -> Starts {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_of_the_image_wrote_there_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Starts::default());
        let path = dir.path().join(COUNTS);
        std::fs::write(&path, [0xff; 100]).unwrap();
        assert_eq!(read(dir.path()), Starts::default());
        std::fs::write(&path, vec![0xff; SLOTS * size_of::<Slot>()]).unwrap();
        let starts = read(dir.path());
        assert_eq!(starts.twinned.len(), SLOTS);
    }
}
