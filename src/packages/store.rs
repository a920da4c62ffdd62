//! The files that are kept: each is an answer as it is sent, head and body, and appears whole or not at
//! all. Several runs use them at once: a name leads to one whole file or another, and who has one
//! open may read it to its end.

use std::{
    fs::{self, DirBuilder, File, FileTimes},
    io::{self, Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::SystemTime,
};

use super::{
    item::{Check, Item},
    room::{Missing, Room},
    turns::Turns,
};
use crate::sys::newfile::{self, NewFile};

/// The prefix of temporary names.
const TEMPORARY: &str = ".new-";
/// The longest head, in bytes. Ours are shorter.
const MAX_HEAD: usize = 4 << 10;

/// A folder of answers.
pub struct Store {
    dir: PathBuf,
    /// How much may be in it, in bytes.
    limit: u64,
    /// How much is, but for what other runs have added meanwhile.
    size: Mutex<u64>,
    room: Room,
    /// For what is being downloaded.
    pub turns: Turns,
}

impl Store {
    /// Opens the folder, which is made where it is missing, and brings it below `limit` bytes.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Store> {
        // Which packages somebody installs is nobody else's business.
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        newfile::sweep(dir, TEMPORARY.as_ref());
        let store = Store {
            dir: dir.to_owned(),
            limit,
            size: Mutex::default(),
            room: Room::default(),
            turns: Turns::open(dir)?,
        };
        *store.size() = store.evict()?;
        Ok(store)
    }

    /// What is kept of `item`.
    pub fn find(&self, item: &Item) -> Option<Entry> {
        let entry = Entry::read(&self.dir.join(&item.key))?;
        // For eviction; most file systems note reading once a day at best.
        let _ = entry
            .file
            .set_times(FileTimes::new().set_accessed(SystemTime::now()));
        Some(entry)
    }

    /// A new answer for `item`, with this head and a body of `length` bytes, if there is room for it.
    pub fn begin(&self, item: &Item, head: &str, length: u64) -> Option<Draft<'_>> {
        if length > self.limit / 4 || head.len() > MAX_HEAD {
            return None;
        }
        let missing = self.room.take(&self.dir, length)?;
        let new = NewFile::create(&self.dir, TEMPORARY.as_ref(), 0o600).ok()?;
        new.file().write_all(head.as_bytes()).ok()?;
        Some(Draft {
            store: self,
            key: item.key.clone(),
            missing,
            check: Check::new(&item.proof),
            new,
        })
    }

    fn size(&self) -> std::sync::MutexGuard<'_, u64> {
        self.size.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Counts a new file, and makes room where it is too much.
    fn added(&self, length: u64) -> io::Result<()> {
        let mut size = self.size();
        *size += length;
        if *size > self.limit {
            *size = self.evict()?;
        }
        Ok(())
    }

    /// Removes what was not used for longest, if there is too much, until there is some room again.
    /// Returns how much is left.
    fn evict(&self) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            // Another run may have removed it.
            if let Ok(data) = path.symlink_metadata()
                && data.is_file()
            {
                let used = data.accessed()?.max(data.modified()?);
                files.push((used, data.len(), path));
            }
        }
        let mut size: u64 = files.iter().map(|(_, length, _)| length).sum();
        if size <= self.limit {
            return Ok(size);
        }
        files.sort();
        for (_, length, path) in files {
            if size <= self.limit / 8 * 7 {
                break;
            }
            let _ = fs::remove_file(path);
            size -= length;
        }
        Ok(size)
    }
}

/// A kept answer.
pub struct Entry {
    file: File,
    head: String,
}

impl Entry {
    /// The answer in a file, unless that is not whole: after a power cut it may not be.
    fn read(path: &Path) -> Option<Entry> {
        let file = File::open(path).ok()?;
        let mut head = Vec::new();
        (&file).take(MAX_HEAD as u64).read_to_end(&mut head).ok()?;
        let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        head.truncate(end + 4);
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let body: u64 = lines
            .find_map(|line| line.strip_prefix("content-length: "))?
            .parse()
            .ok()?;
        let whole = file.metadata().ok()?.len() == head.len() as u64 + body;
        whole.then_some(Entry { file, head })
    }

    /// Its head, by which one version of a file is told from another.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Sends it, or its head.
    pub fn send(mut self, head_only: bool, client: &mut impl Write) -> io::Result<()> {
        if head_only {
            return client.write_all(self.head.as_bytes());
        }
        self.file.rewind()?;
        io::copy(&mut self.file, client).map(drop)
    }
}

/// A file in the making.
pub struct Draft<'a> {
    store: &'a Store,
    key: String,
    missing: Missing<'a>,
    check: Check,
    new: NewFile,
}

impl Draft<'_> {
    /// Adds bytes of the body. With the last one it takes its place, if it is what it must be.
    pub fn write(mut self, bytes: &[u8]) -> io::Result<Option<Self>> {
        self.new.file().write_all(bytes)?;
        self.check.update(bytes);
        let missing = self.missing.after(bytes.len());
        if missing.ok_or(io::ErrorKind::InvalidData)? > 0 {
            return Ok(Some(self));
        }
        if self.check.passed() {
            let end = self.new.file().metadata()?.len();
            self.new.publish(self.key.as_ref(), true)?;
            self.store.added(end)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::packages::item::Proof;

    fn item(key: &str) -> Item {
        Item {
            key: key.into(),
            proof: Proof::Archive,
        }
    }

    fn head(length: usize) -> String {
        format!("HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: {length}\r\n\r\n")
    }

    fn keep(store: &Store, key: &str, body: &str) {
        let draft = store.begin(&item(key), &head(body.len()), body.len() as u64);
        assert!(draft.unwrap().write(body.as_bytes()).unwrap().is_none());
    }

    fn kept(dir: &Path) -> usize {
        // But for the folder of locks.
        fs::read_dir(dir).unwrap().count() - 1
    }

    fn text(store: &Store, key: &str) -> Option<String> {
        let mut text = Vec::new();
        store.find(&item(key))?.send(false, &mut text).unwrap();
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn an_answer_is_found_once_it_is_whole_and_good() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 1 << 20).unwrap();
        let draft = store.begin(&item("a"), &head(12), 12).unwrap();
        let draft = draft.write(b"!<arch>\n").unwrap().unwrap();
        assert_eq!(text(&store, "a"), None);
        assert!(draft.write(b"more").unwrap().is_none());
        assert_eq!(
            text(&store, "a"),
            Some(format!("{}!<arch>\nmore", head(12)))
        );
        assert_eq!(store.find(&item("a")).unwrap().head(), head(12));
        keep(&store, "b", "<html></html>");
        assert_eq!(text(&store, "b"), None);
        let draft = store.begin(&item("c"), &head(8), 8).unwrap();
        assert!(draft.write(b"!<arch>\nmore").is_err());
        assert!(store.begin(&item("d"), &head(8), 1 << 19).is_none());
        drop(store.begin(&item("e"), &head(8), 8).unwrap());
        assert_eq!(kept(dir.path()), 1);
    }

    #[test]
    fn what_is_under_way_has_its_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), u64::MAX).unwrap();
        // Of which there can be one only.
        let space = nix::sys::statvfs::statvfs(dir.path()).unwrap();
        let free = space.blocks_available() as u64 * space.fragment_size() as u64;
        let begin = || store.begin(&item("a"), &head(8), (free - (1 << 30)) / 4 * 3);
        let draft = begin().unwrap().write(b"!<arch>\n").unwrap().unwrap();
        assert!(begin().is_none());
        drop(draft);
        keep(&store, "b", "!<arch>\nmore");
        assert!(begin().is_some());
    }

    #[test]
    fn a_file_that_is_cut_or_no_answer_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 1 << 20).unwrap();
        keep(&store, "a", "!<arch>\nmore");
        let path = dir.path().join("a");
        let whole = fs::read(&path).unwrap();
        for broken in [
            &whole[..whole.len() - 1],
            &whole[..10],
            b"",
            b"\0\0\r\n\r\n",
        ] {
            fs::write(&path, broken).unwrap();
            assert_eq!(text(&store, "a"), None);
        }
        fs::write(&path, &whole).unwrap();
        assert!(text(&store, "a").is_some());
    }

    #[test]
    fn what_was_not_used_for_longest_goes_when_there_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let body = format!("!<arch>\n{}", "x".repeat(500));
        let one = (head(body.len()).len() + body.len()) as u64;
        let store = Store::open(dir.path(), one * 8).unwrap();
        for n in 0..8 {
            keep(&store, &n.to_string(), &body);
            let old = SystemTime::now() - Duration::from_secs(1000 - n);
            let times = FileTimes::new().set_modified(old).set_accessed(old);
            let file = File::open(dir.path().join(n.to_string())).unwrap();
            file.set_times(times).unwrap();
        }
        // Is used now.
        assert!(text(&store, "0").is_some());
        keep(&store, "8", &body);
        let left = |name: &str| dir.path().join(name).exists();
        assert!(left("0") && !left("1") && !left("2") && left("3") && left("8"));
        // At the start, too.
        drop(Store::open(dir.path(), one * 4).unwrap());
        assert_eq!(kept(dir.path()), 3);
        assert!(left("0") && left("8") && left("7"));
    }
}
