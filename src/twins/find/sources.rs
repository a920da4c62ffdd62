//! The image's package sources, and the keys it trusts, for asking them for another architecture.
//!
//! Only what is needed of them: an option of the image that weakens the check of signatures, or
//! names a password, has no effect here.

use std::{fs, path::Path};

use sha2::{Digest, Sha256};

use super::lists::{Source, deb822, one_line, primary};
use crate::{hex::hex, sys::inroot::Root};

/// The longest list of sources, and the longest file of keys, that are read.
const MAX_FILE: u64 = 1 << 20;
/// The most files, and the most sources, that are looked at.
const MAX_FILES: usize = 100;

/// A file of keys: its name among ours, and its content.
type Key = (String, Vec<u8>);

/// The sources of an image.
#[derive(Debug)]
pub struct Sources {
    sources: Vec<Source>,
    /// Keys that single sources name.
    named: Vec<Key>,
    /// Keys that may sign the others.
    trusted: Vec<Key>,
}

impl Sources {
    /// Reads them from the image.
    pub fn read(root: &Root) -> Self {
        let mut found = Vec::new();
        let list = root.read("etc/apt/sources.list".as_ref(), MAX_FILE);
        found.extend(one_line(&list.unwrap_or_default()));
        let folder = Path::new("etc/apt/sources.list.d");
        for name in names(root, folder) {
            let text = root.read(&folder.join(&name), MAX_FILE).unwrap_or_default();
            match name.rsplit_once('.') {
                Some((_, "list")) => found.extend(one_line(&text)),
                Some((_, "sources")) => found.extend(deb822(&text)),
                _ => {}
            }
        }
        found.truncate(MAX_FILES);
        let mut sources = Sources {
            sources: Vec::new(),
            named: Vec::new(),
            trusted: trusted(root),
        };
        for mut source in found.into_iter().filter_map(primary) {
            if let Some(by) = &source.signed_by {
                let Some(ours) = sources.take_keys(root, by) else {
                    continue;
                };
                source.signed_by = Some(ours);
            }
            sources.sources.push(source);
        }
        sources.sources.sort();
        sources.sources.dedup();
        sources
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Copies what a `Signed-By` names; returns what to write in its place.
    fn take_keys(&mut self, root: &Root, signed_by: &str) -> Option<String> {
        let words = signed_by.split([' ', ',', '\t']).filter(|w| !w.is_empty());
        let mut ours = Vec::new();
        for word in words {
            if !word.starts_with('/') {
                // The fingerprint of one of the trusted keys, maybe with a mark behind it.
                let usual = |b: u8| b.is_ascii_hexdigit() || b == b'!';
                if word.bytes().all(usual) {
                    ours.push(word.to_owned());
                    continue;
                }
                return None;
            }
            let bytes = read(root, Path::new(word))?;
            let suffix = if word.ends_with(".asc") { "asc" } else { "gpg" };
            let name = format!("{}.{suffix}", hex(&Sha256::digest(&bytes)));
            ours.push(format!("KEYS/{name}"));
            self.named.push((name, bytes));
        }
        (!ours.is_empty()).then(|| ours.join(" "))
    }

    /// A deb822 list of them all for `arch`, with the keys in the folder `keys`.
    fn text(&self, arch: &str, keys: &str) -> String {
        let mut text = String::new();
        for source in &self.sources {
            text += &format!(
                "Types: deb\nURIs: {}\nSuites: {}\n",
                source.uri, source.suite
            );
            if !source.components.is_empty() {
                text += &format!("Components: {}\n", source.components.join(" "));
            }
            if let Some(by) = &source.signed_by {
                text += &format!("Signed-By: {}\n", by.replace("KEYS", keys));
            }
            text += &format!("Architectures: {arch}\n\n");
        }
        text
    }

    /// What stands for these sources and keys: nobody who trusts others may use what they gave.
    pub fn fingerprint(&self, arch: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.text(arch, "KEYS"));
        for (name, bytes) in self.named.iter().chain(&self.trusted) {
            hasher.update(format!("{name}\0{}\0", bytes.len()));
            hasher.update(bytes);
        }
        hex(&hasher.finalize())
    }

    /// Writes them into `folder` as apt's `Dir::Etc` wants it.
    pub fn write(&self, arch: &str, folder: &Path) -> std::io::Result<()> {
        let make = |name: &str| {
            let path = folder.join(name);
            fs::create_dir_all(&path).map(|()| path)
        };
        let keys = make("keys")?;
        for (name, bytes) in &self.named {
            fs::write(keys.join(name), bytes)?;
        }
        let trusted = make("trusted.gpg.d")?;
        for (name, bytes) in &self.trusted {
            fs::write(trusted.join(name), bytes)?;
        }
        let text = self.text(arch, &keys.to_string_lossy());
        fs::write(make("sources.list.d")?.join("image.sources"), text)
    }
}

/// The keys that may sign a source that names none.
fn trusted(root: &Root) -> Vec<Key> {
    let folder = Path::new("etc/apt/trusted.gpg.d");
    let parts = names(root, folder).into_iter().filter_map(|name| {
        let known = name.ends_with(".gpg") || name.ends_with(".asc");
        let bytes = known.then(|| read(root, &folder.join(&name)))??;
        Some((name, bytes))
    });
    let whole = read(root, "etc/apt/trusted.gpg".as_ref());
    parts
        .chain(whole.map(|bytes| ("trusted.gpg".to_owned(), bytes)))
        .collect()
}

fn read(root: &Root, path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = root.file(path).ok()?;
    file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The files in a folder of the image that apt would read, in its order.
fn names(root: &Root, folder: &Path) -> Vec<String> {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
    let mut names = root.names(folder, MAX_FILES).unwrap_or_default();
    names.retain(|name| name.bytes().all(usual));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;
    use super::*;

    fn write(tree: &Tree, path: &str, content: &str) {
        let path = tree.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn both_forms_are_read_and_what_weakens_is_left_behind() {
        let tree = Tree::new("arm64");
        write(
            &tree,
            "etc/apt/sources.list",
            "# deb http://no no no\n\
             deb [trusted=yes arch=arm64] http://deb.debian.org/debian bookworm main # main\n\
             deb-src http://deb.debian.org/debian bookworm main\n\
             deb http://user:word@example.com/debian bookworm main\n\
             deb cdrom:[x]/ bookworm main\ndeb file:///srv x y\n",
        );
        write(
            &tree,
            "etc/apt/sources.list.d/ubuntu.sources",
            "Types: deb deb-src\nURIs: http://ports.ubuntu.com/ubuntu-ports/\n\
             Suites: noble noble-security\nComponents: main universe\n\
             Signed-By: /usr/share/keyrings/ubuntu.gpg\nTrusted: yes\n\n\
             Enabled: no\nTypes: deb\nURIs: http://off\nSuites: x\n",
        );
        write(&tree, "usr/share/keyrings/ubuntu.gpg", "key");
        write(&tree, "etc/apt/trusted.gpg.d/a.asc", "trusted");
        let sources = Sources::read(&tree.root());
        let text = sources.text("amd64", "/k");
        let uris: Vec<_> = text
            .lines()
            .filter_map(|l| l.strip_prefix("URIs: "))
            .collect();
        let expected = [
            "http://archive.ubuntu.com/ubuntu",
            "http://deb.debian.org/debian",
            "http://security.ubuntu.com/ubuntu",
        ];
        assert_eq!(uris, expected);
        assert!(text.contains("Signed-By: /k/") && text.contains("Architectures: amd64"));
        assert!(!text.to_lowercase().contains("trusted"));
        // Other keys are other sources.
        let before = sources.fingerprint("amd64");
        write(&tree, "etc/apt/trusted.gpg.d/a.asc", "others");
        assert_ne!(Sources::read(&tree.root()).fingerprint("amd64"), before);
    }

    #[test]
    fn a_source_whose_keys_are_not_there_is_left_out() {
        let tree = Tree::new("arm64");
        let list = "deb [signed-by=/usr/share/keyrings/none.gpg] http://example.com/x y z\n";
        write(&tree, "etc/apt/sources.list", list);
        assert!(Sources::read(&tree.root()).is_empty());
    }
}
