//! What may be kept: files that never change under their address, and how to tell that one is whole.

use sha2::{Digest as _, Sha256, Sha512, digest::DynDigest};

use super::request::{AUTHORIZATION, Request};
use crate::hex::hex;

/// How each archive begins (deb(5)). Pages that ask for a login, as networks of hotels give them for
/// everything, do not.
const ARCHIVE: &[u8] = b"!<arch>\n";

/// Something that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The name of its file.
    pub key: String,
    /// What it must be.
    pub proof: Proof,
}

/// What the bytes of an item must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A package. A repository may have built it anew under the same name.
    Archive,
    /// Of this digest, SHA-256 or SHA-512, in hexadecimal.
    Digest(String),
}

impl Item {
    /// What `request` asks for, if it may be kept. What servers give to those with a password only, or
    /// make up by a query, may not.
    pub fn of(request: &Request) -> Option<Item> {
        let url = &request.url;
        if url.query().is_some() || request.header(AUTHORIZATION).is_some() {
            return None;
        }
        let mut parts = url.path().rsplit('/');
        let (name, algorithm, by_hash) = (parts.next()?, parts.next()?, parts.next());
        let length = match algorithm {
            "SHA256" => 64,
            "SHA512" => 128,
            _ => 0,
        };
        let is_digest = name.len() == length && name.bytes().all(|b| b.is_ascii_hexdigit());
        let proof = if by_hash == Some("by-hash") && is_digest {
            Proof::Digest(name.to_ascii_lowercase())
        } else if [".deb", ".udeb", ".ddeb"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            Proof::Archive
        } else {
            return None;
        };
        let key = hex(&Sha256::digest(url.to_string()));
        Some(Item { key, proof })
    }
}

/// Looks at the bytes of an item as they come.
pub enum Check {
    /// The first bytes.
    Archive(Vec<u8>),
    /// What is to come out, and what it comes to.
    Digest(String, Box<dyn DynDigest + Send>),
}

impl Check {
    /// For what must be `proof`.
    pub fn new(proof: &Proof) -> Check {
        match proof {
            Proof::Archive => Check::Archive(Vec::new()),
            Proof::Digest(digest) if digest.len() == 64 => {
                Check::Digest(digest.clone(), Box::new(Sha256::new()))
            }
            Proof::Digest(digest) => Check::Digest(digest.clone(), Box::new(Sha512::new())),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Check::Archive(first) => {
                let missing = ARCHIVE.len() - first.len();
                first.extend(bytes.iter().take(missing));
            }
            Check::Digest(_, hasher) => hasher.update(bytes),
        }
    }

    /// Whether the item is what it must be.
    pub fn passed(self) -> bool {
        match self {
            Check::Archive(first) => first == ARCHIVE,
            Check::Digest(expected, hasher) => hex(&hasher.finalize()) == expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(url: &str) -> Option<Item> {
        Item::of(&Request {
            head_only: false,
            url: url.parse().unwrap(),
            headers: Vec::new(),
            last: false,
        })
    }

    #[test]
    fn packages_and_lists_by_their_digest_are_kept_and_nothing_else() {
        let digest = "A".repeat(64);
        let list = format!("http://a/dists/stable/main/by-hash/SHA256/{digest}");
        let proof = Proof::Digest("a".repeat(64));
        assert_eq!(item(&list).map(|item| item.proof), Some(proof));
        for url in [
            "http://a/b.deb",
            "http://a/p/b_1%3a2_all.udeb",
            "http://a/b.ddeb",
        ] {
            assert_eq!(item(url).map(|item| item.proof), Some(Proof::Archive));
        }
        assert_ne!(item("http://a/b.deb"), item("http://b/b.deb"));
        for url in [
            "http://a/dists/stable/InRelease",
            "http://a/main/Packages.xz",
            "http://a/b.deb?key=1",
            "http://a/by-hash/MD5Sum/0123",
            "http://a/by-hash/SHA256/0123",
            "http://a/other/SHA256/0123",
            "http://a/",
        ] {
            assert_eq!(item(url), None, "{url}");
        }
        let request = Request {
            head_only: false,
            url: "http://a/b.deb".parse().unwrap(),
            headers: vec![(AUTHORIZATION, "Basic x".into())],
            last: false,
        };
        assert_eq!(Item::of(&request), None);
    }

    #[test]
    fn bytes_are_checked_however_they_are_cut() {
        let passes = |proof: &Proof, parts: &[&str]| {
            let mut check = Check::new(proof);
            parts.iter().for_each(|part| check.update(part.as_bytes()));
            check.passed()
        };
        assert!(passes(&Proof::Archive, &["!<ar", "ch>", "\nmore"]));
        assert!(!passes(&Proof::Archive, &["<html>log in"]));
        assert!(!passes(&Proof::Archive, &["!<a"]));
        let proof = Proof::Digest(hex(&Sha512::digest("abc")));
        assert!(passes(&proof, &["a", "bc"]));
        assert!(!passes(&proof, &["ab"]));
    }
}
