//! The content of files: reading, writing, cutting and lengthening, and the attributes shown.

use std::time::SystemTime;

use nix::errno::Errno;

use super::{
    Outcome,
    entry::{ARCHIVE, READ_ONLY},
    volume::Volume,
};

/// Set-user-ID, set-group-ID and sticky, which FAT cannot hold.
const SPECIAL: u32 = 0o7000;

/// What a file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) size: u64,
    pub(super) allocated: u64,
    pub(super) is_dir: bool,
    pub(super) mode: u16,
    pub(super) modified: SystemTime,
    pub(super) accessed: SystemTime,
    pub(super) created: SystemTime,
}

impl Volume {
    /// The attributes of a node.
    pub(super) fn shown(&mut self, ino: u64) -> Outcome<Shown> {
        let cluster = u64::from(self.geometry.cluster);
        let entry = self.node(ino)?.entry;
        let is_dir = entry.is_dir();
        let allocated = match is_dir {
            true if self.fixed_root(ino) => self.geometry.root_length,
            // One that cannot be read can still be looked at, and removed from its parent by fsck.
            true => self.chain(ino).map_or(0, |chain| chain.len() as u64) * cluster,
            false => u64::from(entry.size()).next_multiple_of(cluster),
        };
        let read_only = !is_dir && entry.attributes() & READ_ONLY != 0;
        Ok(Shown {
            size: if is_dir {
                allocated
            } else {
                u64::from(entry.size())
            },
            allocated,
            is_dir,
            mode: if read_only { 0o555 } else { 0o755 },
            modified: entry.modified(),
            accessed: entry.accessed(),
            created: entry.created(),
        })
    }

    /// chmod and chown as Linux' vfat does them with its default options: owner 0:0, umask 022.
    ///
    /// Another owner and the special bits are `EPERM`. A mode that says "everybody reads and
    /// executes, the owner writes or nobody does" sets or clears the read-only attribute; any other
    /// is ignored without an error, and so is every mode of a directory.
    pub(super) fn set_owner_and_mode(
        &mut self,
        ino: u64,
        uid: Option<u32>,
        gid: Option<u32>,
        mode: Option<u32>,
    ) -> Outcome<()> {
        let foreign = |id: Option<u32>| id.is_some_and(|id| id != 0);
        if foreign(uid) || foreign(gid) || mode.is_some_and(|mode| mode & SPECIAL != 0) {
            return Err(Errno::EPERM);
        }
        let Some(mode) = mode.map(|mode| mode & 0o777 & !0o022) else {
            return Ok(());
        };
        let node = self.node(ino)?;
        if mode & 0o555 == 0o555 && !node.entry.is_dir() {
            node.entry.set_attribute(READ_ONLY, mode & 0o200 == 0);
            self.store(ino)?;
        }
        Ok(())
    }

    /// utimes: seconds are cut to even ones, the time of access to its day.
    pub(super) fn set_times(
        &mut self,
        ino: u64,
        accessed: Option<SystemTime>,
        modified: Option<SystemTime>,
    ) -> Outcome<()> {
        let entry = &mut self.node(ino)?.entry;
        if let Some(at) = accessed {
            entry.set_accessed(at);
        }
        if let Some(at) = modified {
            entry.set_modified(at);
        }
        self.store(ino)
    }

    fn file_size(&mut self, ino: u64) -> Outcome<usize> {
        let entry = self.node(ino)?.entry;
        if entry.is_dir() {
            return Err(Errno::EISDIR);
        }
        Ok(entry.size() as usize)
    }

    /// Up to `length` bytes from `offset`; fewer at the end of the file.
    pub(super) fn read(&mut self, ino: u64, offset: u64, length: u32) -> Outcome<Vec<u8>> {
        let size = self.file_size(ino)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(size);
        let mut bytes = vec![0; (length as usize).min(size - offset)];
        for (at, from, length) in self.pieces(ino, offset, bytes.len())? {
            self.device.read(at, &mut bytes[from..from + length])?;
        }
        Ok(bytes)
    }

    /// Writes all of `bytes` at `offset`, or nothing: `ENOSPC`, or `EFBIG` at 4 GiB.
    pub(super) fn write(&mut self, ino: u64, offset: u64, bytes: &[u8]) -> Outcome<()> {
        let size = self.file_size(ino)?;
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
        let end = u32::try_from(end).map_err(|_| Errno::EFBIG)? as usize;
        if bytes.is_empty() {
            return Ok(());
        }
        self.touch()?;
        let offset = offset as usize;
        let outcome = self.reserve(ino, end).and_then(|new| {
            // Whatever was left in the clusters before must not show, now or later.
            if offset > size {
                self.zero_range(ino, size, offset)?;
            }
            for (at, from, length) in self.pieces(ino, offset, bytes.len())? {
                self.device.write(at, &bytes[from..from + length])?;
            }
            if new {
                let allocated = self.chain(ino)?.len() * self.geometry.cluster as usize;
                self.zero_range(ino, end, allocated)?;
            }
            Ok(())
        });
        if outcome.is_err() {
            self.cut(ino, size)?;
            return outcome;
        }
        let node = self.node(ino)?;
        node.entry.set_size(size.max(end) as u32);
        node.entry.set_modified(SystemTime::now());
        node.entry.set_attribute(ARCHIVE, true);
        self.store(ino)
    }

    /// Makes the file `to` bytes long; what is new reads as zeros.
    pub(super) fn truncate(&mut self, ino: u64, to: u64) -> Outcome<()> {
        let size = self.file_size(ino)?;
        let to = u32::try_from(to).map_err(|_| Errno::EFBIG)? as usize;
        self.touch()?;
        if to > size {
            let outcome = self.reserve(ino, to).and_then(|_| {
                let allocated = self.chain(ino)?.len() * self.geometry.cluster as usize;
                self.zero_range(ino, size, allocated)
            });
            if outcome.is_err() {
                self.cut(ino, size)?;
                return outcome;
            }
        } else {
            self.cut(ino, to)?;
            let cluster = self.geometry.cluster as usize;
            let kept = self.chain(ino)?.len() * cluster;
            self.zero_range(ino, to, to.next_multiple_of(cluster).min(kept))?;
        }
        let node = self.node(ino)?;
        node.entry.set_size(to as u32);
        node.entry.set_modified(SystemTime::now());
        node.entry.set_attribute(ARCHIVE, true);
        self.store(ino)
    }

    /// Gives the file clusters for `bytes` bytes, all or none; says whether it needed any.
    fn reserve(&mut self, ino: u64, bytes: usize) -> Outcome<bool> {
        let needed = bytes.div_ceil(self.geometry.cluster as usize);
        let chain = self.chain(ino)?;
        let (have, last) = (chain.len(), chain.last().copied());
        if needed <= have {
            return Ok(false);
        }
        let new = self.table.allocate(needed - have, last)?;
        let chain = self.chain(ino)?;
        chain.extend(new);
        let first = chain.first().copied().unwrap_or(0);
        self.node(ino)?.entry.set_first(first);
        Ok(true)
    }

    /// Frees the clusters behind the first `bytes` bytes.
    fn cut(&mut self, ino: u64, bytes: usize) -> Outcome<()> {
        let keep = bytes.div_ceil(self.geometry.cluster as usize);
        let chain = self.chain(ino)?;
        if keep >= chain.len() {
            return Ok(());
        }
        let freed = chain.split_off(keep);
        let last = chain.last().copied();
        self.table.release(&freed);
        match last {
            Some(last) => self.table.end_at(last),
            None => self.node(ino)?.entry.set_first(0),
        }
        Ok(())
    }

    fn zero_range(&mut self, ino: u64, from: usize, to: usize) -> Outcome<()> {
        if from >= to {
            return Ok(());
        }
        for (at, _, length) in self.pieces(ino, from, to - from)? {
            self.device.zero(at, length as u64)?;
        }
        Ok(())
    }
}
