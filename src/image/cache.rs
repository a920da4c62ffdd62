//! The cache: verified, decompressed sources, found by the SHA-256 of the source as it was packed.
//!
//! ```text
//! bases/KEY.img      a base image, read-only; appears complete or not at all
//! bases/KEY.json     where it came from (BaseRecord)
//! places/NAME.json   what was last seen at a path or URL (PlaceRecord)
//! lists/NAME.json    a list of images, as it was last seen (catalogue::list)
//! downloads/         downloads that are not complete yet, to be resumed
//! locks/             one file per thing that only one run may do at a time
//! ```
//!
//! Whoever uses a base image holds a shared flock on it; whoever removes one needs the exclusive.

mod bases;
#[cfg(test)]
mod tests;

pub use bases::{BaseImage, Of};

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    digest::name_for,
    lock::{self, Lock},
    record::{self, PlaceRecord, TEMPORARY},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    sys::newfile,
};

/// The way out when there is no room in the cache.
pub(super) const ELSEWHERE: &str = "set PICHROOT_CACHE_DIR to a directory on another file system";

/// What to do about a cache directory that cannot be used.
const HINT: &str = "set PICHROOT_CACHE_DIR to a directory that can be written";

/// Marks the directory for backup programs, see <https://bford.info/cachedir/>.
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of pichroot; may be removed\n";

/// The cache directory, shared by concurrent runs.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// The right to make an output, held until it is dropped.
#[derive(Debug)]
pub struct OutputLock {
    _lock: Lock,
}

impl Cache {
    /// Opens the cache in `root`, making it where it is missing, and sweeps what killed runs left.
    ///
    /// # Errors
    /// [`Kind::Host`] when the directory cannot be made.
    pub fn open(root: &Path) -> Result<Cache> {
        for name in ["bases", "places", "lists", "downloads", "locks"] {
            let dir = root.join(name);
            // Sources may be private, so nobody else looks in.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .context(Kind::Host, || {
                    format!("cannot make the cache directory {}", dir.display())
                })
                .map_err(|error| error.hint(HINT))?;
        }
        for name in ["bases", "places", "lists", "downloads"] {
            newfile::sweep(&root.join(name), TEMPORARY.as_ref());
        }
        let tag = root.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(&tag, TAG)
                .context(Kind::Host, || format!("cannot write {}", tag.display()))
                .map_err(|error| error.hint(HINT))?;
        }
        Ok(Cache { root: root.into() })
    }

    /// The cache's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reserves the output `path` for this run, in this cache.
    ///
    /// # Errors
    /// [`Kind::Host`] while another run makes it, or when its directory is missing.
    pub fn lock_output(&self, path: &Path) -> Result<OutputLock> {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let canonical = dir
            .canonicalize()
            .context(Kind::Usage, || {
                format!("cannot use the directory of {}", path.display())
            })?
            .join(path.file_name().unwrap_or_default());
        let file = self.lock_path("output", &canonical.to_string_lossy());
        match lock::try_now(&file)
            .context(Kind::Host, || format!("cannot lock {}", file.display()))?
        {
            Ok(lock) => Ok(OutputLock { _lock: lock }),
            Err(holder) => {
                let holder = holder.map_or(String::new(), |pid| format!(" (process {pid})"));
                Err(Error::host(format!(
                    "{} is being made by another run{holder}",
                    path.display()
                ))
                .hint("wait for it, or name another --output"))
            }
        }
    }

    /// Waits until no other run fetches `what`.
    pub(super) fn lock_fetch(&self, what: &str, shown: &str, report: &dyn Report) -> Result<Lock> {
        let path = self.lock_path("fetch", what);
        let waiting = |_| report.tell(Event::WaitingFor(shown.to_owned()));
        lock::wait(&path, waiting).context(Kind::Host, || format!("cannot lock {}", path.display()))
    }

    /// What was last seen at a place (see [`PlaceRecord`]).
    pub(super) fn place(&self, place: &str) -> Option<PlaceRecord> {
        record::read(&self.place_path(place))
    }

    /// Notes what was seen at a place. Only a short cut for later runs, so failure does no harm.
    pub(super) fn set_place(&self, place: &str, seen: &PlaceRecord) {
        let _ = record::write(&self.place_path(place), seen);
    }

    /// Where the list of images at `url` is kept.
    pub(super) fn list_path(&self, url: &str) -> PathBuf {
        self.root
            .join("lists")
            .join(format!("{}.json", name_for(url)))
    }

    /// Where downloads are collected.
    pub(super) fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    fn place_path(&self, place: &str) -> PathBuf {
        self.root
            .join("places")
            .join(format!("{}.json", name_for(place)))
    }

    fn lock_path(&self, kind: &str, what: &str) -> PathBuf {
        self.root
            .join("locks")
            .join(format!("{kind}-{}", name_for(what)))
    }
}
