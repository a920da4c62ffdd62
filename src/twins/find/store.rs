//! The cache of unpacked packages, by the SHA-256 of their .deb; and, for each set of sources and
//! keys, which .deb they gave for a package and a version.
//!
//!     store/SHA256/usr/bin/...     appears whole, is never changed
//!     index/FINGERPRINT.json       of `Sources::fingerprint`
//!     verified.json                of `Verified`
//!     lock                         held while something is fetched

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::deb;
use crate::{
    error::{Context, Kind, Result},
    event::Event,
    hex::hex,
};

/// The largest .deb that is unpacked, in bytes.
const MAX_DEB: u64 = 256 << 20;
/// What unfinished folders of the store begin with.
const NEW: &str = ".new-";

/// What the sources gave.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// The SHA-256 of the .deb for `PACKAGE=VERSION`; `None` where they had none when last asked.
    pub debs: BTreeMap<String, Option<String>>,
    /// When they last answered, in seconds since 1970.
    pub asked: u64,
    /// When they were last asked in vain.
    #[serde(default)]
    pub failed: u64,
}

/// The cache folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self> {
        for part in ["store", "index"] {
            let path = folder.join(part);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .context(Kind::Host, || format!("cannot make {}", path.display()))?;
        }
        Ok(Store {
            folder: folder.to_owned(),
        })
    }

    /// The folder with the content of the .deb `sha256`, if it is there.
    pub fn get(&self, sha256: &str) -> Option<PathBuf> {
        let path = self.folder.join("store").join(sha256);
        path.is_dir().then_some(path)
    }

    /// What the sources with this fingerprint gave; nothing where that is not known.
    pub fn index(&self, fingerprint: &str) -> Index {
        let text = fs::read(self.index_path(fingerprint)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Notes what the sources with this fingerprint gave. Only under the lock.
    pub fn set_index(&self, fingerprint: &str, index: &Index) -> Result<()> {
        let path = self.index_path(fingerprint);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(self.folder.join("index"))?;
            serde_json::to_writer(&mut file, index)?;
            file.flush()?;
            file.persist(&path)?;
            io::Result::Ok(())
        };
        write().context(Kind::Host, || format!("cannot write {}", path.display()))
    }

    fn index_path(&self, fingerprint: &str) -> PathBuf {
        self.folder
            .join("index")
            .join(format!("{fingerprint}.json"))
    }

    /// Waits until nobody else fetches; the lock goes with the returned file.
    pub fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let lock = || {
            let mut options = File::options();
            let file = options
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            file.lock()?;
            io::Result::Ok(file)
        };
        lock().context(Kind::Host, || format!("cannot lock {}", path.display()))
    }

    /// Unpacks those of `files` whose SHA-256 is among `sums`. Only under the lock.
    ///
    /// One that cannot be unpacked is `report`ed and not there afterwards.
    pub fn add(
        &self,
        files: &[PathBuf],
        sums: &BTreeSet<&str>,
        triplet: &str,
        report: &dyn Fn(Event),
    ) -> Result<()> {
        let top = self.folder.join("store");
        let failed = || format!("cannot write to {}", top.display());
        self.sweep(&top);
        let mut done = Vec::new();
        for file in files {
            // What is checked is what is unpacked: apt's own user can write where the file is.
            let Ok(bytes) = read(file) else {
                continue;
            };
            let sum = hex(&Sha256::digest(&bytes));
            if !sums.contains(sum.as_str()) {
                continue;
            }
            let new = top.join(format!("{NEW}{sum}"));
            if new.exists() {
                continue; // The same package from two sources.
            }
            fs::create_dir(&new).context(Kind::Host, failed)?;
            match deb::unpack(bytes, triplet, &new) {
                Ok(()) => done.push((new, top.join(sum))),
                Err(error) => report(Event::TwinsFailed {
                    what: format!("cannot unpack {}", file.display()),
                    why: error.to_string(),
                }),
            }
        }
        // Whole also after a crash: first the content, then the names.
        let open = File::open(&top).context(Kind::Host, failed)?;
        nix::unistd::syncfs(&open).context(Kind::Host, failed)?;
        for (new, whole) in done {
            if !whole.exists() {
                fs::rename(new, whole).context(Kind::Host, failed)?;
            }
        }
        self.sweep(&top);
        Ok(())
    }

    /// Removes what a run that was killed has left. Best effort.
    fn sweep(&self, top: &Path) {
        for entry in fs::read_dir(top).into_iter().flatten().flatten() {
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(NEW.as_bytes())
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// The content of a regular file that is not too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = File::options();
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_DEB {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_DEB).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_whole_and_what_is_broken_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cache")).unwrap();
        let write = |name: &str, bytes: &[u8]| {
            fs::write(dir.path().join(name), bytes).unwrap();
            dir.path().join(name)
        };
        let bytes = deb::testing::deb(&[("bin/a", b"a")], &[]);
        let good = hex(&Sha256::digest(&bytes));
        let bad = hex(&Sha256::digest(b"bad"));
        let files = [
            write("good", &bytes),
            write("bad", b"bad"),
            write("other", b"other"),
        ];
        let _lock = store.lock().unwrap();
        let sums = [good.as_str(), bad.as_str()].into();
        for _ in 0..2 {
            store
                .add(&files, &sums, "x86_64-linux-gnu", &|_| {})
                .unwrap();
        }
        let there = store.get(&good).unwrap();
        assert_eq!(fs::read(there.join("bin/a")).unwrap(), b"a");
        assert_eq!(store.get(&bad), None);
        let all = fs::read_dir(dir.path().join("cache/store")).unwrap();
        assert_eq!(all.count(), 1);
    }

    #[test]
    fn an_index_is_of_its_sources_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut index = Index::default();
        index.debs.insert("dash=1".into(), Some("aa".into()));
        store.set_index("one", &index).unwrap();
        assert_eq!(store.index("one").debs["dash=1"].as_deref(), Some("aa"));
        assert!(store.index("two").debs.is_empty());
    }
}
