//! The small JSON files of the cache. None is vital: one that is missing or broken is as good as
//! absent, and what it told is found out again.

use std::{fs, io, os::unix::fs::FileExt, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::digest::Digests;
use crate::sys::newfile::NewFile;

/// The prefix of temporary names in the cache.
pub const TEMPORARY: &str = ".new-";

/// What became of a source.
pub struct Decoded {
    /// The image's size in bytes.
    pub size: u64,
    /// The digests of the source, as it is packed.
    pub digests: Digests,
    /// What was learned of the image's own digests.
    pub image_digests: Digests,
}

/// What is known of a base image in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRecord {
    /// The source it was made from, without secrets.
    pub source: String,
    /// The source's digests; its SHA-256 is the key.
    pub digests: Digests,
    /// What is known of the digests of the image itself.
    #[serde(default)]
    pub image_digests: Digests,
    /// The source's size in bytes, as packed.
    pub source_size: u64,
    /// The base image's size in bytes.
    pub size: u64,
    /// When it was made, in seconds since 1970.
    pub created: u64,
}

impl BaseRecord {
    /// The record of a base image that is being made now.
    pub fn now(source: &str, decoded: Decoded, source_size: u64) -> Self {
        let created = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs());
        BaseRecord {
            source: source.into(),
            digests: decoded.digests,
            image_digests: decoded.image_digests,
            source_size,
            size: decoded.size,
            created,
        }
    }
}

/// What is known of a place where sources come from: a file of this host or a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// The state of the file when it was read; a file in another state is another source.
    pub stamp: String,
    /// The digests of its content.
    pub digests: Digests,
    /// What a server said to recognise this content by.
    #[serde(default)]
    pub validators: Validators,
}

/// What an HTTP server gives to tell one version of a file from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The ETag header.
    pub etag: Option<String>,
    /// The Last-Modified header.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to recognise the content by.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The headers that ask for a file only if it is another version.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let etag = self.etag.clone().map(|etag| ("if-none-match", etag));
        let date = self.last_modified.clone();
        let date = date.map(|date| ("if-modified-since", date));
        etag.into_iter().chain(date).collect()
    }
}

/// The identity of a local file: which one it is, and a stamp that changes when its content does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileId {
    /// Device and inode.
    pub place: String,
    /// Size, and the times of its last change in nanoseconds.
    pub stamp: String,
    /// The later of the two times, in nanoseconds since 1970.
    changed: i128,
}

/// How long a file must have been left alone before its stamp is believed, in nanoseconds: two
/// writes within the coarsest time stamps in use (2 s, FAT) would look like one.
const SETTLED: i128 = 2_000_000_000;

impl FileId {
    /// The identity of the open file with this metadata.
    pub fn of(meta: &fs::Metadata) -> FileId {
        let nanos =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let modified = nanos(meta.mtime(), meta.mtime_nsec());
        let changed = nanos(meta.ctime(), meta.ctime_nsec());
        FileId {
            place: format!("file {}:{}", meta.dev(), meta.ino()),
            stamp: format!("{} {modified} {changed}", meta.size()),
            changed: modified.max(changed),
        }
    }

    /// Whether the file has been left alone for long enough, so that the stamp tells versions apart.
    pub fn is_settled(&self) -> bool {
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_nanos() as i128);
        now - self.changed > SETTLED
    }
}

/// Reads a record; `None` when it is missing or not what it should be.
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a record in one step, replacing an older one.
pub fn write<T: Serialize>(path: &Path, record: &T) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut new = NewFile::create(dir, TEMPORARY.as_ref(), 0o600)?;
    new.file()
        .write_all_at(&serde_json::to_vec_pretty(record)?, 0)?;
    new.publish(path.file_name().unwrap_or_default(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_and_broken_ones_are_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let record = PlaceRecord {
            stamp: "s".into(),
            ..Default::default()
        };
        write(&path, &record).unwrap();
        write(&path, &record).unwrap();
        assert_eq!(read::<PlaceRecord>(&path), Some(record));
        fs::write(&path, "{").unwrap();
        assert_eq!(read::<PlaceRecord>(&path), None);
        assert_eq!(read::<PlaceRecord>(&dir.path().join("b")), None);
    }

    #[test]
    fn a_stamp_changes_with_the_content_and_is_not_believed_at_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let before = FileId::of(&file.as_file().metadata().unwrap());
        assert!(!before.is_settled());
        io::Write::write_all(&mut file, b"x").unwrap();
        let after = FileId::of(&file.as_file().metadata().unwrap());
        assert_eq!(before.place, after.place);
        assert_ne!(before.stamp, after.stamp);
    }
}
