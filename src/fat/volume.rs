//! The mounted file system: its files by number, and what is written back when.
//!
//! Tables and directories are held in memory and written back on fsync and at the end; file content
//! goes straight to the device. A run that does not end well throws its image away, so nothing more
//! is promised for a crash than that.

use std::{collections::HashMap, ffi::OsStr, time::SystemTime};

use nix::errno::Errno;

use super::{
    Outcome,
    device::Device,
    dir::{self, Dir},
    entry::{DIRECTORY, Entry},
    name,
    table::Table,
};
use crate::disk::{FsKind, probe::fat::Geometry};

/// The number of the root directory.
pub(super) const ROOT: u64 = 1;

/// Directories in memory may have this many bytes together.
const MAX_DIR_BYTES: usize = 256 << 20;

/// A file that the kernel knows, or that this module just works on.
#[derive(Debug)]
pub(super) struct Node {
    /// The directory it is in.
    pub(super) parent: u64,
    /// Its slot there; none for the root and for what was deleted.
    pub(super) slot: Option<u32>,
    /// Its entry, current even before it is written back.
    pub(super) entry: Entry,
    /// Its clusters, once they are known.
    pub(super) chain: Option<Vec<u32>>,
    /// Its files, if it is a directory that was read.
    pub(super) dir: Option<Dir>,
    /// How often the kernel looked it up, how many open files it has, how many nodes are in it.
    lookups: u64,
    pub(super) opens: u64,
    children: u64,
}

/// A FAT file system on a device.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) device: Device,
    pub(super) geometry: Geometry,
    pub(super) table: Table,
    pub(super) nodes: HashMap<u64, Node>,
    by_slot: HashMap<(u64, u32), u64>,
    /// Directories in memory by their first cluster: a second one there is a loop.
    dir_clusters: HashMap<u32, u64>,
    dir_bytes: usize,
    last: u64,
    /// The boot sector did not say "in use" when this was opened.
    pub(super) was_clean: bool,
    /// Something was changed.
    pub(super) touched: bool,
    /// Nothing is served any more.
    pub(super) closed: bool,
}

impl Volume {
    /// Reads boot sector and table.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no FAT file system of this size, `EFBIG` for too large a table, and
    /// those of the device.
    pub(super) fn open(device: Device) -> Outcome<Volume> {
        let mut boot = [0; 512];
        device.read(0, &mut boot)?;
        let geometry = Geometry::parse(&boot).ok_or(Errno::EINVAL)?;
        if geometry.size > device.size() {
            return Err(Errno::EINVAL);
        }
        let table = Table::read(&device, &geometry)?;
        let mut root = Entry([0; 32]);
        root.set_attribute(DIRECTORY, true);
        root.set_first(geometry.root_cluster);
        let mut volume = Volume {
            was_clean: boot[geometry.state_byte()] & 1 == 0,
            device,
            geometry,
            table,
            nodes: HashMap::new(),
            by_slot: HashMap::new(),
            dir_clusters: HashMap::new(),
            dir_bytes: 0,
            last: ROOT,
            touched: false,
            closed: false,
        };
        let mut node = Node::new(0, None, root);
        node.lookups = 1;
        volume.nodes.insert(ROOT, node);
        volume.directory(ROOT)?;
        Ok(volume)
    }

    /// The node of a number the kernel knows.
    pub(super) fn node(&mut self, ino: u64) -> Outcome<&mut Node> {
        self.nodes.get_mut(&ino).ok_or(Errno::ESTALE)
    }

    /// The directory `ino`, read if it was not yet.
    pub(super) fn directory(&mut self, ino: u64) -> Outcome<&mut Dir> {
        let node = self.node(ino)?;
        if !node.entry.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if node.slot.is_none() && ino != ROOT {
            return Err(Errno::ENOENT);
        }
        if node.dir.is_none() {
            let dir = self.read_directory(ino)?;
            self.dir_bytes += dir.len();
            self.node(ino)?.dir = Some(dir);
        }
        self.node(ino)?.dir.as_mut().ok_or(Errno::EIO)
    }

    fn read_directory(&mut self, ino: u64) -> Outcome<Dir> {
        let chain = self.chain(ino)?.to_vec();
        let fixed = self.fixed_root(ino);
        let length = match fixed {
            true => self.geometry.root_length as usize,
            false => chain.len().saturating_mul(self.geometry.cluster as usize),
        };
        if length > dir::MAX_BYTES || self.dir_bytes + length > MAX_DIR_BYTES {
            return Err(Errno::EIO);
        }
        if let Some(&first) = chain.first() {
            let holder = *self.dir_clusters.entry(first).or_insert(ino);
            if holder != ino {
                return Err(Errno::EIO);
            }
        } else if !fixed {
            return Err(Errno::EIO);
        }
        let mut raw = vec![0; length];
        for (at, from, bytes) in self.pieces(ino, 0, length)? {
            self.device.read(at, &mut raw[from..from + bytes])?;
        }
        Ok(Dir::parse(raw))
    }

    /// Whether it is the root directory of FAT12 or FAT16, which has its own place.
    pub(super) fn fixed_root(&self, ino: u64) -> bool {
        ino == ROOT && self.geometry.kind != FsKind::Fat32
    }

    /// The clusters of a node.
    pub(super) fn chain(&mut self, ino: u64) -> Outcome<&mut Vec<u32>> {
        let node = self.nodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        if node.chain.is_none() {
            node.chain = Some(self.table.chain(node.entry.first())?);
        }
        node.chain.as_mut().ok_or(Errno::EIO)
    }

    /// Where `length` bytes from `offset` of a file lie: device offset, offset from the start of
    /// the request, length. Neighbouring clusters make one piece.
    pub(super) fn pieces(
        &mut self,
        ino: u64,
        offset: usize,
        length: usize,
    ) -> Outcome<Vec<(u64, usize, usize)>> {
        if self.fixed_root(ino) {
            return Ok(vec![(self.geometry.root_start + offset as u64, 0, length)]);
        }
        let geometry = self.geometry;
        let cluster = geometry.cluster as usize;
        let chain = self.chain(ino)?;
        let mut pieces: Vec<(u64, usize, usize)> = Vec::new();
        let mut done = 0;
        while done < length {
            let at = offset + done;
            let number = *chain.get(at / cluster).ok_or(Errno::EIO)?;
            let start = geometry.cluster_start(number).ok_or(Errno::EIO)? + (at % cluster) as u64;
            let bytes = (cluster - at % cluster).min(length - done);
            match pieces.last_mut() {
                Some((from, _, so_far)) if *from + *so_far as u64 == start => *so_far += bytes,
                _ => pieces.push((start, done, bytes)),
            }
            done += bytes;
        }
        Ok(pieces)
    }

    /// The node of the file in a slot of a directory, made if there is none.
    pub(super) fn node_at(&mut self, parent: u64, slot: u32) -> Outcome<u64> {
        if let Some(&ino) = self.by_slot.get(&(parent, slot)) {
            return Ok(ino);
        }
        let mut entry = self.directory(parent)?.entry(slot);
        if self.geometry.kind != FsKind::Fat32 {
            // The upper half has another meaning there.
            entry.set_first(entry.first() & 0xffff);
        }
        self.last += 1;
        self.nodes
            .insert(self.last, Node::new(parent, Some(slot), entry));
        self.by_slot.insert((parent, slot), self.last);
        self.node(parent)?.children += 1;
        Ok(self.last)
    }

    /// The number the kernel knows a file by, where it does.
    pub(super) fn known(&self, parent: u64, slot: u32) -> Option<u64> {
        self.by_slot.get(&(parent, slot)).copied()
    }

    /// Notes that a node moved, or was deleted.
    pub(super) fn relocate(&mut self, ino: u64, to: Option<(u64, u32)>) -> Outcome<()> {
        let node = self.node(ino)?;
        let from = (node.parent, node.slot.take());
        if let (parent, Some(slot)) = from {
            self.by_slot.remove(&(parent, slot));
        }
        if let Some((parent, slot)) = to {
            let node = self.node(ino)?;
            (node.parent, node.slot) = (parent, Some(slot));
            self.by_slot.insert((parent, slot), ino);
            self.node(parent)?.children += 1;
            self.node(from.0)?.children -= 1;
            self.evict(from.0)?;
        }
        Ok(())
    }

    /// Finds a file by name and counts that the kernel knows it now.
    pub(super) fn lookup(&mut self, parent: u64, name: &OsStr) -> Outcome<u64> {
        let ino = self.find(parent, name)?;
        self.remember(ino)?;
        Ok(ino)
    }

    /// Finds a file by name.
    pub(super) fn find(&mut self, parent: u64, name: &OsStr) -> Outcome<u64> {
        let name = name::checked(name).map_err(|errno| match errno {
            Errno::ENAMETOOLONG => errno,
            _ => Errno::ENOENT,
        })?;
        let slot = self.directory(parent)?.find(name).ok_or(Errno::ENOENT)?;
        self.node_at(parent, slot)
    }

    /// The kernel knows this node now.
    pub(super) fn remember(&mut self, ino: u64) -> Outcome<()> {
        self.node(ino)?.lookups += 1;
        Ok(())
    }

    /// The kernel forgot `count` of its lookups.
    pub(super) fn forget(&mut self, ino: u64, count: u64) -> Outcome<()> {
        let node = self.node(ino)?;
        node.lookups = node.lookups.saturating_sub(count);
        self.evict(ino)
    }

    /// A file of this node was opened.
    pub(super) fn opened(&mut self, ino: u64) -> Outcome<()> {
        self.node(ino)?.opens += 1;
        Ok(())
    }

    /// A file of this node was closed; what was deleted meanwhile goes now.
    pub(super) fn released(&mut self, ino: u64) -> Outcome<()> {
        let node = self.node(ino)?;
        node.opens = node.opens.saturating_sub(1);
        self.reap(ino)?;
        self.evict(ino)
    }

    /// Drops nodes that nobody needs any more, from `ino` up.
    pub(super) fn evict(&mut self, mut ino: u64) -> Outcome<()> {
        while ino != ROOT {
            let Some(node) = self.nodes.get(&ino) else {
                return Ok(());
            };
            if node.lookups > 0 || node.opens > 0 || node.children > 0 {
                return Ok(());
            }
            self.flush_directory(ino)?;
            self.forget_directory(ino);
            let Some(node) = self.nodes.remove(&ino) else {
                return Ok(());
            };
            if let Some(slot) = node.slot {
                self.by_slot.remove(&(node.parent, slot));
            }
            ino = node.parent;
            self.node(ino)?.children -= 1;
        }
        Ok(())
    }

    /// Drops the files of a directory from memory.
    fn forget_directory(&mut self, ino: u64) {
        let Some(node) = self.nodes.get_mut(&ino) else {
            return;
        };
        let first = node.entry.first();
        if let Some(dir) = node.dir.take() {
            self.dir_bytes -= dir.len();
        }
        if self.dir_clusters.get(&first) == Some(&ino) {
            self.dir_clusters.remove(&first);
        }
    }

    /// Frees the clusters of a deleted file once nobody has it open.
    pub(super) fn reap(&mut self, ino: u64) -> Outcome<()> {
        let node = self.node(ino)?;
        if node.slot.is_some() || node.opens > 0 || ino == ROOT {
            return Ok(());
        }
        let first = node.entry.first();
        self.forget_directory(ino);
        let node = self.node(ino)?;
        node.entry.set_first(0);
        node.entry.set_size(0);
        node.chain = Some(Vec::new());
        if first != 0 {
            self.touch()?;
            self.table.release_chain(first);
        }
        Ok(())
    }

    /// Counts what a directory gained in memory.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.dir_bytes += bytes;
    }

    /// Puts a node's entry into its directory.
    pub(super) fn store(&mut self, ino: u64) -> Outcome<()> {
        let node = self.node(ino)?;
        let (parent, slot, entry) = (node.parent, node.slot, node.entry);
        if let Some(slot) = slot {
            self.touch()?;
            self.directory(parent)?.set(slot, &entry);
        }
        Ok(())
    }

    /// Notes the time of a change in a directory.
    pub(super) fn stamp(&mut self, ino: u64) -> Outcome<()> {
        self.node(ino)?.entry.set_modified(SystemTime::now());
        self.store(ino)
    }
}

impl Node {
    fn new(parent: u64, slot: Option<u32>, entry: Entry) -> Node {
        Node {
            parent,
            slot,
            entry,
            chain: None,
            dir: None,
            lookups: 0,
            opens: 0,
            children: 0,
        }
    }
}
