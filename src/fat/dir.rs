//! A directory in memory: its raw entries, an index by name, and what has to be written back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nix::errno::Errno;

use super::{
    Outcome,
    entry::{Entry, LONG_NAME, VOLUME},
    name::{self, Collector, Short},
};

/// Bytes in one entry.
pub(super) const ENTRY: usize = 32;
/// What is written back at once: the smallest sector.
pub(super) const CHUNK: usize = 512;
/// A directory has at most 65536 entries, as on Windows and Linux.
pub(super) const MAX_BYTES: usize = 65536 * ENTRY;

/// The first byte of an entry that was deleted.
const DELETED: u8 = 0xe5;

/// A file of the directory, found under the slot of its short entry.
#[derive(Debug)]
struct Item {
    name: String,
    /// The slot of the first entry of its long name, or its own.
    from: u32,
}

/// The entries of one directory. A slot is the number of an entry; slots never move.
#[derive(Debug)]
pub(super) struct Dir {
    raw: Vec<u8>,
    dirty: BTreeSet<usize>,
    items: BTreeMap<u32, Item>,
    names: HashMap<String, u32>,
    shorts: HashMap<Short, u32>,
    /// Something else than zeros followed the end of the directory on the device.
    stale_end: bool,
}

impl Dir {
    /// Reads the entries. What follows the end mark is dropped; unusable names are not listed.
    pub(super) fn parse(mut raw: Vec<u8>) -> Dir {
        let end = raw.chunks_exact(ENTRY).position(|entry| entry[0] == 0);
        let used = end.map_or(raw.len(), |end| end * ENTRY);
        let tail = &mut raw[used..];
        let stale_end = tail.iter().any(|&byte| byte != 0);
        tail.fill(0);
        let mut dir = Dir {
            raw,
            dirty: BTreeSet::new(),
            items: BTreeMap::new(),
            names: HashMap::new(),
            shorts: HashMap::new(),
            stale_end,
        };
        let mut long = Collector::default();
        for slot in 0..dir.slots() {
            let entry = dir.entry(slot);
            let attributes = entry.attributes();
            if matches!(entry.0[0], 0 | DELETED) {
                long = Collector::default();
            } else if attributes & LONG_NAME == LONG_NAME {
                long.push(&entry.0);
            } else {
                let found = long.finish(&entry.short());
                if attributes & VOLUME == 0 {
                    dir.adopt(slot, &entry, found);
                }
            }
        }
        dir
    }

    fn adopt(&mut self, slot: u32, entry: &Entry, long: Option<(String, u32)>) {
        let usable = |name: &str| {
            !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
        };
        let short = name::shown(&entry.short(), entry.0[12]);
        let (name, from) = match long {
            Some((name, taken)) if usable(&name) => (name, slot - taken),
            _ if usable(&short) => (short, slot),
            _ => return,
        };
        self.index(slot, from, name, entry);
    }

    fn index(&mut self, slot: u32, from: u32, name: String, entry: &Entry) {
        let short = name::shown(&entry.short(), 0);
        for key in [name::folded(&name), name::folded(&short)] {
            // Of two files with one name, which only damage makes, the first is found.
            self.names.entry(key).or_insert(slot);
        }
        self.shorts.entry(entry.short()).or_insert(slot);
        self.items.insert(slot, Item { name, from });
    }

    fn slots(&self) -> u32 {
        (self.raw.len() / ENTRY) as u32
    }

    /// Its size in bytes.
    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether it lists no file.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The entry in a slot.
    pub(super) fn entry(&self, slot: u32) -> Entry {
        let bytes = self
            .raw
            .get(slot as usize * ENTRY..)
            .and_then(|rest| rest.first_chunk());
        Entry(bytes.copied().unwrap_or([0; ENTRY]))
    }

    /// Replaces the entry in a slot.
    pub(super) fn set(&mut self, slot: u32, entry: &Entry) {
        let at = slot as usize * ENTRY;
        if let Some(place) = self.raw.get_mut(at..at + ENTRY)
            && *place != entry.0
        {
            place.copy_from_slice(&entry.0);
            self.dirty.insert(at / CHUNK);
        }
    }

    /// The slot of the file with this name, long or short, in any case.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.names.get(&name::folded(name)).copied()
    }

    /// The files in the slots from `slot` on.
    pub(super) fn list(&self, slot: u32) -> impl Iterator<Item = (u32, &str)> {
        self.items
            .range(slot..)
            .map(|(&slot, item)| (slot, item.name.as_str()))
    }

    /// Where `count` entries in a row are free.
    fn room(&self, count: u32) -> Option<u32> {
        let mut from = 0;
        for slot in 0..self.slots() {
            if !matches!(self.raw[slot as usize * ENTRY], 0 | DELETED) {
                from = slot + 1;
            } else if slot + 1 - from == count {
                return Some(from);
            }
        }
        None
    }

    /// Whether a file of this name would find room.
    pub(super) fn has_room(&self, name: &str) -> bool {
        self.room(slots_for(name)).is_some()
    }

    /// Makes the directory longer by `bytes` of free entries.
    pub(super) fn grow(&mut self, bytes: usize) {
        let from = self.raw.len();
        self.raw.resize(from + bytes, 0);
        self.dirty.extend(from / CHUNK..self.raw.len() / CHUNK);
    }

    /// Adds a file; gives its entry a short name, and returns its slot.
    ///
    /// # Errors
    ///
    /// `ENOSPC` where there is no room: see [`has_room`](Self::has_room) and [`grow`](Self::grow).
    pub(super) fn insert(&mut self, name: &str, mut entry: Entry) -> Outcome<u32> {
        let plain = name::plain(name).filter(|short| !self.shorts.contains_key(short));
        let (short, long) = match plain {
            Some(short) => (short, Vec::new()),
            None => {
                let short = name::numbered(name, |short| self.shorts.contains_key(short))?;
                (short, name::long_entries(name, &short))
            }
        };
        let from = self.room(long.len() as u32 + 1).ok_or(Errno::ENOSPC)?;
        let slot = from + long.len() as u32;
        entry.set_short(&short);
        for (slot, long) in (from..).zip(long) {
            self.set(slot, &Entry(long));
        }
        self.set(slot, &entry);
        if std::mem::take(&mut self.stale_end) {
            self.dirty.extend(0..self.raw.len() / CHUNK);
        }
        self.index(slot, from, name.to_owned(), &entry);
        Ok(slot)
    }

    /// Removes the file in a slot.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(item) = self.items.remove(&slot) else {
            return;
        };
        let short = self.entry(slot).short();
        for key in [
            name::folded(&item.name),
            name::folded(&name::shown(&short, 0)),
        ] {
            if self.names.get(&key) == Some(&slot) {
                self.names.remove(&key);
            }
        }
        if self.shorts.get(&short) == Some(&slot) {
            self.shorts.remove(&short);
        }
        for slot in item.from..=slot {
            let mut entry = self.entry(slot);
            entry.0[0] = DELETED;
            self.set(slot, &entry);
        }
    }

    /// Hands each changed part to `write` (offset and bytes), then counts as unchanged.
    pub(super) fn flush(
        &mut self,
        mut write: impl FnMut(usize, &[u8]) -> Outcome<()>,
    ) -> Outcome<()> {
        for &chunk in &self.dirty {
            let at = chunk * CHUNK;
            write(at, &self.raw[at..(at + CHUNK).min(self.raw.len())])?;
        }
        self.dirty.clear();
        Ok(())
    }
}

/// How many entries a file of this name needs at most.
fn slots_for(name: &str) -> u32 {
    1 + name.encode_utf16().count().div_ceil(13) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn entry() -> Entry {
        Entry::new(&[b' '; 11], 0, 0, UNIX_EPOCH)
    }

    fn names(dir: &Dir) -> Vec<String> {
        dir.list(0).map(|(_, name)| name.to_owned()).collect()
    }

    #[test]
    fn names_are_found_in_any_case_and_by_their_short_form() {
        let mut dir = Dir::parse(vec![0; 2048]);
        let slot = dir.insert("Device Tree.dtb", entry()).unwrap();
        dir.insert("CONFIG.TXT", entry()).unwrap();
        assert_eq!(dir.find("device tree.DTB"), Some(slot));
        assert_eq!(dir.find("DEVICE~1.DTB"), Some(slot));
        assert_eq!(
            names(&Dir::parse(dir.raw.clone())),
            ["Device Tree.dtb", "CONFIG.TXT"]
        );
        dir.remove(slot);
        assert_eq!(dir.find("DEVICE~1.DTB"), None);
        // The gap is used again.
        assert_eq!(dir.insert("x y", entry()).unwrap(), 1);
        assert!(!dir.has_room(&"n".repeat(255)) || dir.len() > 22 * ENTRY);
    }

    #[test]
    fn what_follows_the_end_does_not_come_back() {
        let mut raw = vec![0; 1024];
        raw[64..75].copy_from_slice(b"GHOST   TXT");
        let mut dir = Dir::parse(raw);
        assert!(dir.is_empty());
        dir.insert("A", entry()).unwrap();
        let mut written = vec![0xff; 1024];
        dir.flush(|at, bytes| {
            written[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        assert_eq!(names(&Dir::parse(written)), ["A"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_directory(raw in prop::collection::vec(any::<u8>(), 1024)) {
            let mut dir = Dir::parse(raw);
            let slots: Vec<u32> = dir.list(0).map(|(slot, _)| slot).collect();
            let _ = dir.insert("A new file", entry());
            slots.into_iter().for_each(|slot| dir.remove(slot));
        }
    }
}
