//! Publishing the files of an archive at a place.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use nix::unistd::syncfs;
use sha2::{Digest, Sha256};

use super::{
    listing,
    place::{Current, Place, UNFINISHED},
    record::Record,
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Report, Task},
    hex::hex,
    sys::{
        room,
        scratch::Scratch,
        tar::{self, Tar},
    },
};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;
/// How many changed files an error names.
const NAMED: usize = 3;

/// How a tree is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The directory that a server serves.
    pub dir: PathBuf,
    /// The machine's name in it.
    pub name: String,
    /// Whether the machine may change the tree, and what it has changed is not replaced.
    pub watched: bool,
    /// Whether what is not ours, or was changed, is replaced all the same.
    pub force: bool,
    /// How many generations are kept beside the one that is served.
    pub keep: usize,
}

/// A tree that is complete and not served yet. Dropped, it goes with the next publish.
#[derive(Debug)]
pub struct Prepared {
    place: Place,
    record: Record,
    keep: usize,
}

/// What has become of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The tree that is served.
    pub path: PathBuf,
    /// Its generation.
    pub generation: u64,
    /// The generation that a rollback brings back, if one is kept.
    pub before: Option<u64>,
}

impl Wanted {
    /// Refuses to replace what is not ours, as far as that can be told without leaving anything there.
    ///
    /// # Errors
    /// [`Kind::Usage`].
    pub fn check(&self) -> Result<()> {
        let path = self.dir.join(&self.name);
        match !self.force && path.exists() && !Place::is_known(&self.dir, &self.name) {
            true => Err(foreign(&path)),
            false => Ok(()),
        }
    }

    /// The place, with what is there looked at: whether it may be replaced.
    ///
    /// # Errors
    /// As [`Place::open`]; [`Kind::Usage`] when it must not be replaced.
    pub fn open(&self) -> Result<Place> {
        self.check()?;
        let place = Place::open(&self.dir, &self.name)?;
        if place.current()? == Current::Foreign {
            if !fs::symlink_metadata(place.path()).is_ok_and(|meta| meta.is_dir()) {
                let shown = place.path().display();
                return Err(Error::usage(format!("{shown} is no folder"))
                    .hint("move it away, and run this again"));
            }
            if !self.force {
                return Err(foreign(place.path()));
            }
        }
        Ok(place)
    }

    /// Whether `place` has what the archive `stream` holds already, and its generation.
    ///
    /// # Errors
    /// [`Kind::Host`] when the archive cannot be read.
    pub fn is_there(&self, place: &Place, stream: &mut dyn Read) -> Result<Option<u64>> {
        let sha256 = each_chunk(stream, |_| Ok(()))?;
        Ok(match place.current()? {
            Current::Ours(record) if record.sha256 == sha256 => Some(record.generation),
            _ => None,
        })
    }

    /// Refuses to go on where the machine has written to the tree since it was published.
    ///
    /// # Errors
    /// [`Kind::Usage`] with what it has written.
    pub fn check_unchanged(&self, place: &Place) -> Result<()> {
        let Current::Ours(Record {
            files: Some(before),
            ..
        }) = place.current()?
        else {
            return Ok(());
        };
        if self.force || !self.watched {
            return Ok(());
        }
        let shown = place.path().display();
        let now =
            listing::of(place.path()).context(Kind::Host, || format!("cannot read {shown}"))?;
        let changed = listing::different(&before, &now);
        if changed.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = changed
            .iter()
            .take(NAMED)
            .map(|path| path.display().to_string())
            .collect();
        let more = match changed.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(Error::usage(format!(
            "{shown} was changed since it was published: {}{more}",
            names.join(", ")
        ))
        .hint(
            "the machine itself may have written there, such as a new kernel that its root file system has the modules \
             of; use --force to replace it all the same: it is kept as the generation before",
        ))
    }

    /// Makes a tree of the archive `stream`, complete and durable, at `place`. Whether the archive was complete, who writes
    /// it knows.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be written, with the disk full for instance.
    pub fn prepare(
        &self,
        mut place: Place,
        stream: &mut dyn Read,
        report: &dyn Report,
    ) -> Result<Prepared> {
        let failed = |place: &Place| format!("cannot make a new {}", place.path().display());
        let adopted = match place.current()? {
            Current::Foreign => place.adopt(),
            _ => Ok(()),
        };
        adopted.context(Kind::Host, || failed(&place))?;
        let scratch = Scratch::make(place.state(), OsStr::new(UNFINISHED))?;
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).context(Kind::Host, || failed(&place))?;
        let (tar, to) = tar::unpack(&tree)?;
        let sha256 = unpack(stream, tar, to, &place, report)?;
        let made = self.finish(&place, &tree, sha256);
        let record = made.context(Kind::Host, || failed(&place))?;
        Ok(Prepared {
            place,
            record,
            keep: self.keep,
        })
    }

    fn finish(&self, place: &Place, tree: &Path, sha256: String) -> io::Result<Record> {
        syncfs(File::open(tree)?)?;
        let files = match self.watched {
            true => Some(listing::of(tree)?),
            false => None,
        };
        let inode = fs::metadata(tree)?.ino();
        let record = Record::new(place.next(), inode, sha256, now(), files);
        record.write(place.state())?;
        fs::rename(tree, record.tree(place.state()))?;
        Ok(record)
    }
}

impl Prepared {
    /// Serves it, in one step. What was served is kept as a generation, and older ones go.
    ///
    /// # Errors
    /// [`Kind::Host`] when the file system does not take it.
    pub fn serve(mut self) -> Result<Served> {
        let failed = |place: &Place| format!("cannot publish {}", place.path().display());
        let served = self.place.serve(self.record.clone());
        served.context(Kind::Host, || failed(&self.place))?;
        let pruned = self.place.prune(self.keep);
        pruned.context(Kind::Host, || {
            format!(
                "{} is published, and old generations cannot be removed",
                self.place.path().display()
            )
        })?;
        Ok(served_now(&self.place, &self.record))
    }
}

/// The generation that a rollback of `place` brings back.
///
/// # Errors
/// [`Kind::Usage`] when there is none.
pub fn before(place: &Place) -> Result<Record> {
    let shown = place.path().display();
    let Current::Ours(current) = place.current()? else {
        return Err(Error::usage(format!("pichroot has not published {shown}"))
            .hint("what it has published can be rolled back, to the generation before"));
    };
    let kept = place.kept();
    // After a rollback it is the newer one.
    let older = kept
        .iter()
        .find(|record| record.generation < current.generation);
    let record = older.or(kept.first()).map(|record| (*record).clone());
    record.ok_or_else(|| {
        Error::usage(format!(
            "no generation of {shown} is kept but the one that is served"
        ))
        .hint("`keep` says how many are, see publish in pichroot.yml")
    })
}

/// Serves the generation [`before`] again at `place`; the one that is served now is kept.
///
/// # Errors
/// As [`before`]; [`Kind::Host`] when the file system does not take it.
pub fn roll_back(mut place: Place) -> Result<Served> {
    let record = before(&place)?;
    let served = place.serve(record.clone());
    served.context(Kind::Host, || {
        format!("cannot publish {}", place.path().display())
    })?;
    Ok(served_now(&place, &record))
}

fn foreign(path: &Path) -> Error {
    Error::usage(format!(
        "{} is there, and pichroot has not made it",
        path.display()
    ))
    .hint("move it away, or use --force to replace it: it is then kept as the generation before")
}

fn served_now(place: &Place, record: &Record) -> Served {
    Served {
        path: place.path().to_owned(),
        generation: record.generation,
        before: place.kept().first().map(|record| record.generation),
    }
}

/// Has `tar` unpack the archive; the archive's SHA-256.
fn unpack(
    stream: &mut dyn Read,
    tar: Tar,
    mut to: impl Write,
    place: &Place,
    report: &dyn Report,
) -> Result<String> {
    let progress = report.begin(Task::Publishing(place.path().to_owned()), None);
    let mut done = 0;
    let sha256 = each_chunk(stream, |chunk| {
        done += chunk.len() as u64;
        progress.at(done);
        match to.write_all(chunk) {
            // It has ended, and is asked below why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context(Kind::Host, || "cannot write to tar".into()),
        }
    })?;
    drop(to);
    tar.end().map_err(|error| {
        let full = error.to_string().contains(tar::NO_SPACE);
        let error = error.of(&format!("cannot make a new {}", place.path().display()));
        match (full, File::open(place.state())) {
            (true, Ok(folder)) => error.better_hint(room::hint(
                &folder,
                None,
                "have fewer generations kept, by `keep` in pichroot.yml",
            )),
            _ => error,
        }
    })?;
    Ok(sha256)
}

/// Calls `with` for all that is read; its SHA-256.
fn each_chunk(stream: &mut dyn Read, mut with: impl FnMut(&[u8]) -> Result<()>) -> Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.context(Kind::Host, || "cannot read the image's files".into())?,
        };
        hash.update(&chunk[..count]);
        with(&chunk[..count])?;
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
