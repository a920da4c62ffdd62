//! What Ansible sends to an interpreter: a wrapper in Python (AnsiballZ) with the module and its
//! library in a zip archive, base64 in one line.
//!
//! The layout is that of ansible-core 2.19 to 2.22 (`_internal/_ansiballz/_wrapper.py` and
//! `executor/module_common.py` there). Anything else is run without a zygote.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
    ops::Range,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use zip::{ZipArchive, ZipWriter};

/// Where the wrapper's own code ends and the call with this module's values begins.
const CALL: &str = "\nif __name__ == \"__main__\":\n    _ansiballz_main(\n";
/// The longest text of one member that is looked at; Ansible's own longest has 100 KiB.
const MAX_MEMBER: u64 = 16 << 20;

/// A module as it was sent.
#[derive(Debug)]
pub struct Payload {
    text: Vec<u8>,
    /// Where the call begins.
    call: usize,
    /// The base64 of the archive, without its quotes.
    encoded: Range<usize>,
    archive: Vec<u8>,
    /// Every Python module in the archive.
    pub members: Vec<Member>,
}

/// A Python module in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its dotted name.
    pub name: String,
    /// Whether it is a package's `__init__.py`.
    pub package: bool,
    /// The CRC-32 of its text.
    pub crc: u32,
    /// Its place in the archive.
    index: usize,
}

impl Member {
    /// Whether it is of Ansible's own library, which many modules share.
    pub fn is_shared(&self) -> bool {
        let mut parts = self.name.split('.');
        let ours = parts.next() == Some("ansible");
        ours && (self.package || parts.next() == Some("module_utils"))
    }
}

/// What a zygote runs in place of the payload: the same, with less in the archive.
#[derive(Debug)]
pub struct Lean {
    /// The wrapper's text.
    pub text: Vec<u8>,
    /// Where the call, the archive's literal, and what follows it begin, and where all ends.
    pub parts: [usize; 4],
}

impl Payload {
    /// Reads a payload; `None` if it is not one, or of another version of Ansible's.
    pub fn recognise(text: Vec<u8>) -> Option<Payload> {
        let str = std::str::from_utf8(&text).ok()?;
        if !str.starts_with("#!") || !str.contains("\n_ANSIBALLZ_WRAPPER = True\n") {
            return None;
        }
        let call = str.find(CALL)? + 1;
        // A value is a literal of Python's in one line, so no value can look like another's line.
        let mut at = call + CALL.len() - 1;
        let (mut encoded, mut extensions) = (None, false);
        let mut lines = str[at..].split_inclusive('\n');
        for line in lines.by_ref() {
            if line == ")\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("zip_data='") {
                let start = at + "zip_data='".len();
                encoded = Some(start..start + value.strip_suffix("',\n")?.len());
            }
            // Debuggers and coverage: they look at more than a module does.
            extensions |= line == "extensions={},\n";
            at += line.len();
        }
        if !extensions || lines.any(|line| !line.trim().is_empty()) {
            return None;
        }
        let encoded = encoded?;
        let archive = STANDARD.decode(&str[encoded.clone()]).ok()?;
        let members = members(&archive)?;
        Some(Payload {
            call,
            encoded,
            archive,
            members,
            text,
        })
    }

    /// The texts of `wanted` members.
    pub fn sources<'a>(&self, wanted: impl Iterator<Item = &'a Member>) -> Option<Vec<Vec<u8>>> {
        let mut archive = ZipArchive::new(Cursor::new(&self.archive)).ok()?;
        wanted
            .map(|member| {
                let mut text = Vec::new();
                let file = archive.by_index(member.index).ok()?;
                let length = file.take(MAX_MEMBER + 1).read_to_end(&mut text).ok()?;
                (length as u64 <= MAX_MEMBER).then_some(text)
            })
            .collect()
    }

    /// The payload without the members that a zygote `has` already; reading a zip directory
    /// takes an emulated Python long. A module that may start another interpreter on the archive
    /// (Ansible's `respawn`) gets all of it.
    pub fn lean(&self, has: impl Fn(&str) -> bool) -> Option<Lean> {
        let respawns = self.members.iter().any(|m| m.name.contains("respawn"));
        let encoded = if respawns {
            None
        } else {
            Some(STANDARD.encode(self.without(has)?))
        };
        let original = &self.text[self.encoded.clone()];
        let encoded = encoded.as_deref().map_or(original, str::as_bytes);
        let (before, after) = (
            &self.text[..self.encoded.start],
            &self.text[self.encoded.end..],
        );
        let text = [before, encoded, after].concat();
        let first = before.len() - 1;
        let last = before.len() + encoded.len() + 1;
        let parts = [self.call, first, last, text.len()];
        Some(Lean { text, parts })
    }

    fn without(&self, has: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(&self.archive)).ok()?;
        let left_out = self.members.iter().filter(|m| has(&m.name));
        let left_out = left_out.map(|m| m.index).collect::<BTreeSet<_>>();
        let mut lean = ZipWriter::new(Cursor::new(Vec::new()));
        for index in (0..archive.len()).filter(|index| !left_out.contains(index)) {
            lean.raw_copy_file(archive.by_index_raw(index).ok()?).ok()?;
        }
        Some(lean.finish().ok()?.into_inner())
    }
}

fn members(archive: &[u8]) -> Option<Vec<Member>> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).ok()?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).ok()?;
        let path = file.name().ok()?;
        let Some(path) = path.strip_suffix(".py") else {
            continue;
        };
        let name = path.strip_suffix("/__init__");
        members.push(Member {
            package: name.is_some(),
            name: name.unwrap_or(path).replace('/', "."),
            crc: file.crc32(),
            index,
        });
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io::Write};

    use super::{super::library::Library, *};

    const MEMBERS: [&str; 4] = [
        "ansible/__init__.py",
        "ansible/module_utils/__init__.py",
        "ansible/module_utils/basic.py",
        "ansible/modules/ping.py",
    ];

    fn text(members: &[&str], parameters: &str, extensions: &str) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for name in members {
            let stored = zip::write::SimpleFileOptions::default();
            archive.start_file(*name, stored).unwrap();
            archive.write_all(name.as_bytes()).unwrap();
        }
        let encoded = STANDARD.encode(archive.finish().unwrap().into_inner());
        format!(
            "#!/usr/bin/python3\n\n_ANSIBALLZ_WRAPPER = True\n\ndef _ansiballz_main(): pass\n{CALL}\
             params='{parameters}',\nextensions={extensions},\nzip_data='{encoded}',\n)\n"
        )
        .into_bytes()
    }

    fn usual() -> Payload {
        Payload::recognise(text(&MEMBERS, "{}", "{}")).unwrap()
    }

    fn knowing(payload: &Payload, change: u32) -> Library {
        let mut library = Library::default();
        let shared = payload.members.iter().filter(|m| m.is_shared());
        let shared: Vec<_> = shared.map(|m| (m.name.as_str(), m.crc ^ change)).collect();
        let loaded = shared.iter().map(|(name, _)| (*name).to_owned());
        library.learnt(
            shared.iter().copied(),
            &loaded.collect::<BTreeSet<_>>(),
            false,
        );
        library
    }

    fn lean_for(library: &Library, payload: &Payload) -> Lean {
        payload.lean(|name| library.has(name)).unwrap()
    }

    #[test]
    fn what_is_known_is_left_out_and_the_rest_is_as_it_was() {
        let payload = usual();
        let lean = lean_for(&knowing(&payload, 0), &payload);
        let [start, first, last, end] = lean.parts;
        assert!(lean.text[start..].starts_with(&CALL.as_bytes()[1..]));
        assert_eq!(&lean.text[last..end], b",\n)\n");
        let literal = std::str::from_utf8(&lean.text[first..last]).unwrap();
        let archive = STANDARD.decode(literal.trim_matches('\'')).unwrap();
        let names: Vec<_> = members(&archive)
            .unwrap()
            .into_iter()
            .map(|m| m.name)
            .collect();
        assert_eq!(names, ["ansible.modules.ping"]);
        let again = Payload::recognise(lean.text).unwrap();
        assert_eq!(
            again.sources(again.members.iter()).unwrap(),
            [MEMBERS[3].as_bytes()]
        );
    }

    #[test]
    fn a_module_that_may_respawn_gets_its_whole_archive() {
        let names = [&MEMBERS[..], &["ansible/module_utils/common/respawn.py"]].concat();
        let payload = Payload::recognise(text(&names, "{}", "{}")).unwrap();
        let lean = lean_for(&knowing(&payload, 0), &payload);
        assert_eq!(lean.text, payload.text);
    }

    #[test]
    fn another_version_of_a_known_module_does_not_suit_and_a_missing_one_is_told() {
        let payload = usual();
        assert_eq!(knowing(&payload, 1).absent(&payload), None);
        let fewer = Payload::recognise(text(&MEMBERS[..2], "{}", "{}")).unwrap();
        let absent = knowing(&payload, 0);
        assert_eq!(
            absent.absent(&fewer).unwrap(),
            ["ansible.module_utils.basic"]
        );
    }

    #[test]
    fn anything_else_is_not_recognised() {
        let usual = String::from_utf8(text(&MEMBERS, "{}", "{}")).unwrap();
        for other in [
            usual.replace("#!", "!"),
            usual.replace("_ANSIBALLZ_WRAPPER = True", "_ANSIBALLZ_WRAPPER = False"),
            usual.replace("zip_data='", "zip_data='!"),
            usual.replace("zip_data=", "data="),
            usual.replace("__main__", "main"),
            usual.clone() + "print()\n",
            usual.replace("extensions={}", "extensions={'_debugpy': {}}"),
        ] {
            assert!(
                Payload::recognise(other.clone().into_bytes()).is_none(),
                "{other}"
            );
        }
        // Only a line of the call's own counts.
        let inside = text(&MEMBERS, "extensions={},\\nzip_data=x", "{\"a\": {}}");
        assert!(Payload::recognise(inside).is_none());
    }
}
