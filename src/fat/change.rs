//! Making, removing and moving files.

use std::{ffi::OsStr, time::SystemTime};

use nix::errno::Errno;

use super::{
    Outcome,
    dir::{CHUNK, Dir, MAX_BYTES},
    entry::{ARCHIVE, DIRECTORY, Entry},
    name::{self, Short},
    volume::{ROOT, Volume},
};

/// The entries every directory but the root begins with.
const DOT: Short = *b".          ";
const DOTDOT: Short = *b"..         ";

impl Volume {
    /// Makes an empty file and returns its node.
    pub(super) fn create(&mut self, parent: u64, name: &OsStr) -> Outcome<u64> {
        let name = self.unused(parent, name)?;
        let entry = Entry::new(&[b' '; 11], ARCHIVE, 0, SystemTime::now());
        self.add(parent, name, entry)
    }

    /// Makes an empty directory and returns its node.
    pub(super) fn mkdir(&mut self, parent: u64, name: &OsStr) -> Outcome<u64> {
        let name = self.unused(parent, name)?;
        let now = SystemTime::now();
        self.make_room(parent, name)?;
        let cluster = *self.table.allocate(1, None)?.first().ok_or(Errno::ENOSPC)?;
        let made = self.fill_directory(parent, cluster, now).and_then(|()| {
            self.add(
                parent,
                name,
                Entry::new(&[b' '; 11], DIRECTORY, cluster, now),
            )
        });
        if made.is_err() {
            self.table.release(&[cluster]);
        }
        made
    }

    fn fill_directory(&mut self, parent: u64, cluster: u32, now: SystemTime) -> Outcome<()> {
        let mut raw = vec![0; self.geometry.cluster as usize];
        let above = self.cluster_of(parent)?;
        raw[..32].copy_from_slice(&Entry::new(&DOT, DIRECTORY, cluster, now).0);
        raw[32..64].copy_from_slice(&Entry::new(&DOTDOT, DIRECTORY, above, now).0);
        let at = self.geometry.cluster_start(cluster).ok_or(Errno::EIO)?;
        self.device.write(at, &raw)
    }

    /// What `..` in a directory below `ino` says: 0 for the root, wherever that is.
    fn cluster_of(&mut self, ino: u64) -> Outcome<u32> {
        Ok(if ino == ROOT {
            0
        } else {
            self.node(ino)?.entry.first()
        })
    }

    /// The name to store, if no file has it yet.
    fn unused<'a>(&mut self, parent: u64, name: &'a OsStr) -> Outcome<&'a str> {
        let name = name::checked(name)?;
        match self.directory(parent)?.find(name) {
            Some(_) => Err(Errno::EEXIST),
            None => Ok(name),
        }
    }

    fn add(&mut self, parent: u64, name: &str, entry: Entry) -> Outcome<u64> {
        self.touch()?;
        self.make_room(parent, name)?;
        let slot = self.directory(parent)?.insert(name, entry)?;
        self.stamp(parent)?;
        self.node_at(parent, slot)
    }

    /// Makes a directory longer until a file of this name fits.
    fn make_room(&mut self, ino: u64, name: &str) -> Outcome<()> {
        while !self.directory(ino)?.has_room(name) {
            let bytes = self.geometry.cluster as usize;
            if self.fixed_root(ino) || self.directory(ino)?.len() + bytes > MAX_BYTES {
                return Err(Errno::ENOSPC);
            }
            debug_assert!(bytes.is_multiple_of(CHUNK));
            self.touch()?;
            let last = self.chain(ino)?.last().copied();
            let new = self.table.allocate(1, last)?;
            self.chain(ino)?.extend(new);
            self.directory(ino)?.grow(bytes);
            self.grew(bytes);
        }
        Ok(())
    }

    /// Removes a file. One that is open can be used until it is closed.
    pub(super) fn unlink(&mut self, parent: u64, name: &OsStr) -> Outcome<()> {
        let ino = self.find(parent, name)?;
        let outcome = match self.node(ino)?.entry.is_dir() {
            true => Err(Errno::EISDIR),
            false => self.detach(ino).and_then(|()| self.stamp(parent)),
        };
        self.evict(ino)?;
        outcome
    }

    /// Removes an empty directory.
    pub(super) fn rmdir(&mut self, parent: u64, name: &OsStr) -> Outcome<()> {
        let ino = self.find(parent, name)?;
        let outcome = self.empty(ino).and_then(|()| self.detach(ino));
        let outcome = outcome.and_then(|()| self.stamp(parent));
        self.evict(ino)?;
        outcome
    }

    fn empty(&mut self, ino: u64) -> Outcome<()> {
        if !self.node(ino)?.entry.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        match self.directory(ino)?.is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
        }
    }

    /// Takes a file out of its directory, and frees its clusters unless it is open.
    fn detach(&mut self, ino: u64) -> Outcome<()> {
        self.touch()?;
        let node = self.node(ino)?;
        let (parent, slot) = (node.parent, node.slot.ok_or(Errno::ENOENT)?);
        self.directory(parent)?.remove(slot);
        self.relocate(ino, None)?;
        self.reap(ino)
    }

    /// Moves a file, over an existing one of the same sort unless `keep` says that one stays.
    pub(super) fn rename(
        &mut self,
        (from, name): (u64, &OsStr),
        (to, new_name): (u64, &OsStr),
        keep: bool,
    ) -> Outcome<()> {
        let new_name = name::checked(new_name)?;
        let ino = self.find(from, name)?;
        let outcome = self.rename_node(ino, to, new_name, keep);
        self.evict(ino)?;
        outcome
    }

    fn rename_node(&mut self, ino: u64, to: u64, name: &str, keep: bool) -> Outcome<()> {
        let node = self.node(ino)?;
        let (from, slot) = (node.parent, node.slot.ok_or(Errno::ENOENT)?);
        let is_dir = node.entry.is_dir();
        let mut above = to;
        while is_dir && above != ROOT {
            if above == ino {
                return Err(Errno::EINVAL);
            }
            above = self.node(above)?.parent;
        }
        let there = self.directory(to)?.find(name);
        // Only the case of its letters changes where the file found is the same.
        let replaced = there.filter(|&there| (to, there) != (from, slot));
        if replaced.is_some() && keep {
            return Err(Errno::EEXIST);
        }
        // First everything that can fail.
        self.make_room(to, name)?;
        if let Some(there) = replaced {
            let old = self.node_at(to, there)?;
            let outcome = self.replace(old, is_dir);
            self.evict(old)?;
            outcome?;
        }
        self.touch()?;
        let entry = self.node(ino)?.entry;
        self.directory(from)?.remove(slot);
        let new = self.directory(to)?.insert(name, entry)?;
        let short = self.directory(to)?.entry(new).short();
        self.node(ino)?.entry.set_short(&short);
        self.relocate(ino, Some((to, new)))?;
        if is_dir && from != to {
            self.set_parent(ino, to)?;
        }
        self.stamp(from)?;
        self.stamp(to)
    }

    /// Removes what a rename goes over.
    fn replace(&mut self, old: u64, by_dir: bool) -> Outcome<()> {
        match (by_dir, self.node(old)?.entry.is_dir()) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) => self.empty(old)?,
            (false, false) => {}
        }
        self.detach(old)
    }

    /// Points `..` to another directory.
    fn set_parent(&mut self, ino: u64, parent: u64) -> Outcome<()> {
        let above = self.cluster_of(parent)?;
        let dir: &mut Dir = self.directory(ino)?;
        let mut entry = dir.entry(1);
        if entry.short() == DOTDOT {
            entry.set_first(above);
            dir.set(1, &entry);
        }
        Ok(())
    }
}
