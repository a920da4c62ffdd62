//! One machine's place below a directory that is served, and the generations beside it.
//!
//! For `DIR/NAME` these are in `DIR/.pichroot/NAME`: trees under the number of their generation, and a record of each, with
//! that of the tree that is served. Each rename is one step, and a record knows its tree by the inode number. So whatever
//! moment a publish is killed at, the next one knows which tree is which, and puts them in order ([`Place::open`]).

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2},
};

use super::record::Record;
use crate::{
    error::{Context, Error, Kind, Result},
    sys::newfile::sync_dir,
};

/// The folder below the one that is served.
const STATE: &str = ".pichroot";
/// What a tree that is not complete is called, and something behind.
pub(super) const UNFINISHED: &str = "new.";

/// What is at a place.
#[derive(Debug, PartialEq, Eq)]
pub enum Current {
    /// Nothing.
    Nothing,
    /// A tree of ours.
    Ours(Record),
    /// Something that is not ours.
    Foreign,
}

/// It, held against other publishes.
#[derive(Debug)]
pub struct Place {
    /// The tree that is served.
    path: PathBuf,
    /// Where the generations are.
    state: PathBuf,
    records: Vec<Record>,
    _lock: Flock<File>,
}

impl Place {
    /// The place `name` below `dir`, put in order.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such folder, [`Kind::Host`] when it cannot be written to or another publish is
    /// under way.
    pub fn open(dir: &Path, name: &str) -> Result<Self> {
        let shown = dir.display();
        if !dir.is_dir() {
            return Err(Error::usage(format!("there is no folder {shown}"))
                .hint("make it, if that is where your server's files are, or name another one"));
        }
        let state = dir.join(STATE).join(name);
        let failed = || format!("cannot make {}", state.display());
        // Old trees have programs with root's rights in them.
        let made = fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&state);
        made.context(Kind::Host, failed).map_err(|error| {
            error.hint("publishing needs a folder that it can write to: is it a share that is read-only here?")
        })?;
        let path = state.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.context(Kind::Host, || format!("cannot open {}", path.display()))?;
        let lock =
            Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(
                |(_, errno)| match errno {
                    Errno::EWOULDBLOCK => Error::host(format!(
                        "{} is being published by another pichroot",
                        dir.join(name).display()
                    ))
                    .hint("wait for it to end, and run this again"),
                    errno => {
                        Error::host(format!("cannot lock {}: {}", path.display(), errno.desc()))
                            .hint("on an NFS share, the server's lock service has to run")
                    }
                },
            )?;
        let mut place = Place {
            path: dir.join(name),
            records: Record::all(&state)?,
            state,
            _lock: lock,
        };
        let ordered = place.put_in_order();
        ordered.context(Kind::Host, || {
            format!("cannot put {} in order", place.state.display())
        })?;
        Ok(place)
    }

    /// Whether anything was ever published as `name` below `dir`.
    pub fn is_known(dir: &Path, name: &str) -> bool {
        dir.join(STATE).join(name).exists()
    }

    /// The tree that is served.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the generations are.
    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// What is served now.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be looked at.
    pub fn current(&self) -> Result<Current> {
        let failed = || format!("cannot look at {}", self.path.display());
        let Some(inode) = inode(&self.path).context(Kind::Host, failed)? else {
            return Ok(Current::Nothing);
        };
        let record = self.records.iter().find(|record| record.inode == inode);
        Ok(record.map_or(Current::Foreign, |record| Current::Ours(record.clone())))
    }

    /// The generations that are kept and not served, the newest first.
    pub fn kept(&self) -> Vec<&Record> {
        let kept = self.records.iter().rev();
        kept.filter(|record| record.tree(&self.state).is_dir())
            .collect()
    }

    /// The number of the next generation.
    pub(super) fn next(&self) -> u64 {
        self.records.last().map_or(0, |record| record.generation) + 1
    }

    /// Takes what is served, and is not ours, for a generation.
    pub(super) fn adopt(&mut self) -> io::Result<()> {
        let inode = fs::metadata(&self.path)?.ino();
        let record = Record::foreign(self.next(), inode);
        record.write(&self.state)?;
        self.records.push(record);
        Ok(())
    }

    /// Serves the tree of `record`, which is where [`Record::tree`] says, in place of what is served. That is kept as a
    /// generation.
    pub(super) fn serve(&mut self, mut record: Record) -> io::Result<()> {
        let tree = record.tree(&self.state);
        match exchange(&tree, &self.path) {
            Err(Errno::ENOENT) => rename(&tree, &self.path)?,
            // A file system without that, such as NFS: for a moment nothing is served, and that is put in order when it is
            // this moment that we are killed in.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                let aside = self.state.join(format!("{}.before", record.generation));
                rename(&self.path, &aside)?;
                rename(&tree, &self.path)?;
                rename(&aside, &tree)?;
            }
            exchanged => exchanged?,
        }
        if !record.served {
            record.served = true;
            record.write(&self.state)?;
        }
        self.records
            .retain(|other| other.generation != record.generation);
        self.records.push(record);
        self.records.sort_by_key(|record| record.generation);
        self.put_in_order()?;
        sync_dir(self.path.parent().unwrap_or(&self.path))?;
        sync_dir(&self.state)
    }

    /// Removes the oldest generations that are not served, but for `keep` of them.
    pub fn prune(&mut self, keep: usize) -> io::Result<()> {
        let old: Vec<_> = self.kept().into_iter().skip(keep).cloned().collect();
        for record in old {
            // The record last: a tree without one is removed all the same.
            fs::remove_dir_all(record.tree(&self.state))?;
            fs::remove_file(record.path(&self.state))?;
            self.records.retain(|other| *other != record);
        }
        Ok(())
    }

    /// Gives every tree its name, and removes what has no record, or was never served, or is gone.
    fn put_in_order(&mut self) -> io::Result<()> {
        let served = inode(&self.path)?;
        let mut there = Vec::new();
        for entry in fs::read_dir(&self.state)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                there.push((entry.path(), entry.metadata()?.ino()));
            }
        }
        for record in &mut self.records {
            // It was exchanged, and nothing more.
            if Some(record.inode) == served && !record.served {
                record.served = true;
                record.write(&self.state)?;
            }
        }
        // Aside first: two trees may have each other's names.
        let mut known = Vec::new();
        for (path, inode) in there {
            match self.records.iter().find(|r| r.inode == inode && r.served) {
                Some(record) => {
                    let name = record.tree(&self.state);
                    let aside = name.with_extension("aside");
                    if path != name {
                        rename(&path, &aside)?;
                        known.push((aside, name));
                    }
                }
                // One that is being made is locked, but then by us: there is no other.
                None => fs::remove_dir_all(path)?,
            }
        }
        for (aside, name) in known {
            rename(&aside, &name)?;
        }
        let (state, path) = (&self.state, &self.path);
        if served.is_none()
            && let Some(last) = self.records.iter().rev().find(|r| r.tree(state).is_dir())
        {
            rename(&last.tree(state), path)?;
        }
        let served = inode(&self.path)?;
        let mut kept = Vec::new();
        for record in std::mem::take(&mut self.records) {
            match Some(record.inode) == served || record.tree(&self.state).is_dir() {
                true => kept.push(record),
                false => fs::remove_file(record.path(&self.state))?,
            }
        }
        self.records = kept;
        Ok(())
    }
}

/// The inode number of what is at `path`, which is not followed if it is a link.
fn inode(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn exchange(one: &Path, other: &Path) -> nix::Result<()> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}
