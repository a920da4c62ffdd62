//! What of Ansible's Python library a zygote has in it.

use std::collections::{BTreeMap, BTreeSet};

use super::payload::{Member, Payload};

/// Names and checksums of what a zygote has imported and compiled.
#[derive(Debug, Default)]
pub struct Library {
    /// Imported modules, and the CRC-32 of their text.
    imported: BTreeMap<String, u32>,
    /// Texts that could not be imported, or are compiled already: not to be sent again.
    done: BTreeSet<u32>,
}

impl Library {
    /// Whether it has a module of this name.
    pub fn has(&self, name: &str) -> bool {
        self.imported.contains_key(name)
    }

    /// The imported modules that `payload` does not have, and which its module must not find;
    /// `None` if it has another version of one.
    pub fn absent(&self, payload: &Payload) -> Option<Vec<&str>> {
        let theirs = payload.members.iter().map(|m| (m.name.as_str(), m.crc));
        let theirs = theirs.collect::<BTreeMap<_, _>>();
        let mut absent = Vec::new();
        for (name, crc) in &self.imported {
            match theirs.get(name.as_str()) {
                None => absent.push(name.as_str()),
                Some(theirs) if theirs == crc => {}
                Some(_) => return None,
            }
        }
        Some(absent)
    }

    /// What of `payload` is worth learning.
    pub fn new_in<'a>(&self, payload: &'a Payload) -> Vec<&'a Member> {
        let new = |m: &&Member| !self.has(&m.name) && !self.done.contains(&m.crc);
        payload.members.iter().filter(new).collect()
    }

    /// Notes what has become of `offered` texts, by name and checksum: the `loaded` ones are
    /// imported.
    pub fn learnt<'a>(
        &mut self,
        offered: impl Iterator<Item = (&'a str, u32)>,
        loaded: &BTreeSet<String>,
        again: bool,
    ) {
        for (name, crc) in offered {
            if loaded.contains(name) {
                self.imported.entry(name.to_owned()).or_insert(crc);
            } else if !again {
                self.done.insert(crc);
            }
        }
    }
}
