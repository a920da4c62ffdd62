//! The cache: verified, decompressed sources, found by the SHA-256 of the source as it was packed.
//!
//! ```text
//! bases/KEY.img      a base image, read-only; appears complete or not at all
//! bases/KEY.json     where it came from (BaseRecord)
//! places/NAME.json   what was last seen at a path or URL (PlaceRecord)
//! downloads/         downloads that are not complete yet, to be resumed
//! locks/             one file per thing that only one run may do at a time
//! ```
//!
//! Whoever uses a base image holds a shared flock on it; whoever removes one needs the exclusive.

use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::{
    digest::{Algorithm, Digest, Digests, name_for},
    lock::{self, Lock},
    newfile::{self, NewFile},
    record::{self, BaseRecord, PlaceRecord, TEMPORARY},
};
use crate::{
    error::{Context, Error, Kind, Result},
    report::Report,
};

/// What to do about a cache directory that cannot be used.
const HINT: &str = "set PICHROOT_CACHE_DIR to a directory that can be written";

/// Marks the directory for backup programs, see https://bford.info/cachedir/.
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of pichroot; may be removed\n";

/// The cache directory, shared by concurrent runs.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A verified image, open for reading, to make work images from. Never written.
#[derive(Debug)]
pub struct BaseImage {
    file: File,
    path: PathBuf,
    size: u64,
}

impl BaseImage {
    /// An image that is used where it is.
    pub(super) fn new(file: File, path: PathBuf) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(BaseImage { file, path, size })
    }

    /// The image. Where it is in the cache, its lock goes with this descriptor.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The right to make an output, held until it is dropped.
#[derive(Debug)]
pub struct OutputLock {
    _lock: Lock,
}

impl Cache {
    /// Where the cache is unless the user says otherwise: `PICHROOT_CACHE_DIR`, else for root
    /// /var/cache/pichroot, else `XDG_CACHE_HOME`/pichroot or ~/.cache/pichroot.
    ///
    /// # Errors
    /// A usage error when none of these variables is set.
    pub fn default_dir() -> Result<PathBuf> {
        default_dir(|name| env::var_os(name), nix::unistd::geteuid().is_root())
    }

    /// Opens the cache in `root`, making it where it is missing, and sweeps what killed runs left.
    ///
    /// # Errors
    /// [`Kind::Host`] when the directory cannot be made.
    pub fn open(root: &Path) -> Result<Cache> {
        for name in ["bases", "places", "downloads", "locks"] {
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
        for name in ["bases", "places", "downloads"] {
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

    /// Every base image, in no order.
    pub fn bases(&self) -> Vec<BaseRecord> {
        let Ok(entries) = fs::read_dir(self.root.join("bases")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
            .filter_map(|entry| record::read(&entry.path()))
            .collect()
    }

    /// Removes a base image; false when a run is using it.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be removed.
    pub fn remove(&self, base: &BaseRecord) -> Result<bool> {
        let image = self.base_path(key(&base.digests), "img");
        let failed = || format!("cannot remove {}", image.display());
        match File::open(&image) {
            Ok(file) => match file.try_lock() {
                Ok(()) => fs::remove_file(&image).context(Kind::Host, failed)?,
                Err(fs::TryLockError::WouldBlock) => return Ok(false),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).context(Kind::Host, failed);
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(Kind::Host, failed),
        }
        // Without the image it says nothing any more.
        let _ = fs::remove_file(self.base_path(key(&base.digests), "json"));
        Ok(true)
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
        let waiting = |_| report.step(&format!("waiting for another run that fetches {shown}"));
        lock::wait(&path, waiting).context(Kind::Host, || format!("cannot lock {}", path.display()))
    }

    /// The base image made from the source with these digests, if it is there.
    pub(super) fn base(&self, digests: &Digests) -> Result<Option<BaseImage>> {
        let path = self.base_path(key(digests), "img");
        let failed = || format!("cannot use the cached image {}", path.display());
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.context(Kind::Host, failed)?,
        };
        file.lock_shared().context(Kind::Host, failed)?;
        // It may have been removed between the two.
        let removed = file.metadata().context(Kind::Host, failed)?.nlink() == 0;
        if removed {
            return Ok(None);
        }
        BaseImage::new(file, path.clone())
            .map(Some)
            .context(Kind::Host, failed)
    }

    /// The base image whose source has this digest, as far as that was ever computed.
    pub(super) fn base_with(&self, digest: &Digest) -> Result<Option<BaseImage>> {
        if digest.algorithm == Algorithm::Sha256 {
            return self.base(&Digests::from([(Algorithm::Sha256, digest.hex.clone())]));
        }
        let known = self.bases().into_iter().find(|base| {
            base.digests
                .get(&digest.algorithm)
                .is_some_and(|hex| *hex == digest.hex)
        });
        known.map_or(Ok(None), |base| self.base(&base.digests))
    }

    /// A file for a new base image, seen by nobody until [`Cache::insert`].
    pub(super) fn new_base(&self) -> Result<NewFile> {
        let dir = self.root.join("bases");
        NewFile::create(&dir, TEMPORARY.as_ref(), 0o444)
            .context(Kind::Host, || format!("cannot write in {}", dir.display()))
            .map_err(|error| error.hint(HINT))
    }

    /// Takes a complete, verified base image in. If another run was faster, its image is used; what
    /// is newly known of the source is noted in either case.
    pub(super) fn insert(&self, mut new: NewFile, mut record: BaseRecord) -> Result<BaseImage> {
        let path = self.base_path(key(&record.digests), "img");
        let failed = || format!("cannot write the cached image {}", path.display());
        new.file().sync_all().context(Kind::Host, failed)?;
        new.file().lock_shared().context(Kind::Host, failed)?;
        match new.publish(path.file_name().unwrap_or_default(), false) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.context(Kind::Host, failed)?,
        }
        let json = self.base_path(key(&record.digests), "json");
        if let Some(older) = record::read::<BaseRecord>(&json) {
            record.digests.extend(older.digests);
        }
        record::write(&json, &record).context(Kind::Host, failed)?;
        newfile::sync_dir(&self.root.join("bases")).context(Kind::Host, failed)?;
        self.base(&record.digests)?
            .ok_or_else(|| Error::other(format!("{} vanished while it was made", path.display())))
    }

    /// What was last seen at a place (see [`PlaceRecord`]).
    pub(super) fn place(&self, place: &str) -> Option<PlaceRecord> {
        record::read(&self.place_path(place))
    }

    /// Notes what was seen at a place. Only a short cut for later runs, so failure does no harm.
    pub(super) fn set_place(&self, place: &str, seen: &PlaceRecord) {
        let _ = record::write(&self.place_path(place), seen);
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

    fn base_path(&self, key: &str, extension: &str) -> PathBuf {
        self.root.join("bases").join(format!("{key}.{extension}"))
    }

    fn lock_path(&self, kind: &str, what: &str) -> PathBuf {
        self.root
            .join("locks")
            .join(format!("{kind}-{}", name_for(what)))
    }
}

/// The key of the source with these digests: its SHA-256, which every pass computes.
fn key(digests: &Digests) -> &str {
    digests
        .get(&Algorithm::Sha256)
        .map_or("unknown", String::as_str)
}

fn default_dir(var: impl Fn(&str) -> Option<OsString>, root: bool) -> Result<PathBuf> {
    let dir = |name| {
        var(name)
            .map(PathBuf::from)
            .filter(|dir: &PathBuf| dir.is_absolute())
    };
    if let Some(dir) = var("PICHROOT_CACHE_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(dir.into());
    }
    if root {
        return Ok("/var/cache/pichroot".into());
    }
    dir("XDG_CACHE_HOME")
        .or_else(|| dir("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("pichroot"))
        .ok_or_else(|| Error::usage("no place for the cache: HOME is not set").hint(HINT))
}

#[cfg(test)]
mod tests;
