//! Digests of a source's bytes: which algorithms there are, and computing several in one pass.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use sha2::digest::{Digest as _, DynDigest};

use crate::hex::hex;

/// A digest algorithm that a checksum may use, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// MD5, 128 bits: finds transfer errors, does not stop an attacker.
    Md5,
    /// SHA-1, 160 bits: as MD5.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, from the weakest to the strongest.
    pub const ALL: [Algorithm; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name in lower case, as before the colon of a checksum.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest has.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// The algorithm called `name`, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn hasher(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Md5 => Box::new(md5::Md5::new()),
            Self::Sha1 => Box::new(sha1::Sha1::new()),
            Self::Sha256 => Box::new(sha2::Sha256::new()),
            Self::Sha512 => Box::new(sha2::Sha512::new()),
        }
    }
}

/// One digest: an algorithm and its value in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The value, as many digits as the algorithm has.
    pub hex: String,
}

impl Digest {
    /// The digest written as `hex`, in any case; `None` when the length or a digit is wrong.
    pub fn new(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let right = hex.len() == algorithm.hex_len() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        right.then(|| Digest {
            algorithm,
            hex: hex.to_ascii_lowercase(),
        })
    }

    /// The digest written as `hex`, its algorithm told by its length.
    pub fn by_length(hex: &str) -> Option<Self> {
        Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| Self::new(algorithm, hex))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

/// Digests of the same bytes, by algorithm, in lower-case hexadecimal.
pub type Digests = BTreeMap<Algorithm, String>;

/// Computes digests of what it is fed: always SHA-256, the cache's key, and others on request.
pub struct Hasher(Vec<(Algorithm, Box<dyn DynDigest + Send>)>);

impl Hasher {
    /// A hasher for SHA-256 and, where it is another one, `extra`.
    pub fn new(extra: Option<Algorithm>) -> Self {
        let extra = extra.filter(|algorithm| *algorithm != Algorithm::Sha256);
        let all = std::iter::once(Algorithm::Sha256).chain(extra);
        Hasher(all.map(|a| (a, a.hasher())).collect())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, hasher) in &mut self.0 {
            hasher.update(bytes);
        }
    }

    /// The digests of all bytes taken.
    pub fn finish(self) -> Digests {
        self.0
            .into_iter()
            .map(|(algorithm, hasher)| (algorithm, hex(&hasher.finalize())))
            .collect()
    }
}

/// The SHA-256 of a short text, in hexadecimal: names for files that stand for something.
pub fn name_for(text: &str) -> String {
    hex(&sha2::Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_abc_are_the_published_ones() {
        // FIPS 180-4 examples and RFC 1321 appendix A.5.
        let expected = [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (algorithm, hex) in expected {
            let mut hasher = Hasher::new(Some(algorithm));
            hasher.update(b"a");
            hasher.update(b"bc");
            let digests = hasher.finish();
            assert_eq!(digests[&algorithm], hex);
            assert_eq!(
                digests[&Algorithm::Sha256],
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            );
        }
    }

    #[test]
    fn a_digest_has_its_algorithms_length_and_only_hex_digits() {
        assert!(Digest::new(Algorithm::Md5, &"A".repeat(32)).is_some());
        assert!(Digest::new(Algorithm::Md5, &"a".repeat(31)).is_none());
        assert!(Digest::new(Algorithm::Md5, &"g".repeat(32)).is_none());
        let long = Digest::by_length(&"0".repeat(128)).unwrap();
        assert_eq!(long.algorithm, Algorithm::Sha512);
    }
}
