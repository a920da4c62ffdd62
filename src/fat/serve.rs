//! Answers the kernel's FUSE requests from a [`Volume`].

use std::{
    ffi::OsStr,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use nix::{
    errno::Errno,
    sys::stat::{SFlag, mode_t},
};

use super::{
    Outcome,
    volume::{ROOT, Volume},
};

/// A name must be looked up every time: another spelling of it may have been removed meanwhile.
const NAME_TTL: Duration = Duration::ZERO;
/// Attributes change only through this mount, and the kernel notes its own changes.
const ATTR_TTL: Duration = Duration::from_secs(1);
/// `.` and `..` come before the slots of a directory's files.
const FIRST_SLOT: u64 = 2;

/// The file system as the session sees it.
#[derive(Debug)]
pub(super) struct Server(pub(super) Arc<Mutex<Volume>>);

impl Server {
    /// Runs `work` on the volume; after a panic, and once it is closed, everything is an I/O error.
    fn with<T>(&self, work: impl FnOnce(&mut Volume) -> Outcome<T>) -> Result<T, fuser::Errno> {
        let outcome =
            self.0
                .lock()
                .map_err(|_| Errno::EIO)
                .and_then(|mut volume: MutexGuard<'_, Volume>| match volume.closed {
                    true => Err(Errno::EIO),
                    false => work(&mut volume),
                });
        outcome.map_err(|errno| fuser::Errno::from_i32(errno as i32))
    }
}

fn attributes(volume: &mut Volume, ino: u64) -> Outcome<FileAttr> {
    let shown = volume.shown(ino)?;
    Ok(FileAttr {
        ino: INodeNo(ino),
        size: shown.size,
        blocks: shown.allocated / 512,
        atime: shown.accessed,
        mtime: shown.modified,
        ctime: shown.modified,
        crtime: shown.created,
        kind: if shown.is_dir {
            FileType::Directory
        } else {
            FileType::RegularFile
        },
        perm: shown.mode,
        // "Unknown" for directories: counting what is in them would mean to read each one.
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: volume.geometry.cluster,
        flags: 0,
    })
}

/// Counts a lookup and returns the attributes.
fn entered(volume: &mut Volume, ino: u64) -> Outcome<FileAttr> {
    let attributes = attributes(volume, ino)?;
    volume.remember(ino)?;
    Ok(attributes)
}

fn answer_entry(outcome: Result<FileAttr, fuser::Errno>, reply: ReplyEntry) {
    match outcome {
        Ok(attr) => reply.entry_with_ttls(&ATTR_TTL, &NAME_TTL, &attr, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

fn answer(outcome: Result<(), fuser::Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(at) => at,
        TimeOrNow::Now => SystemTime::now(),
    }
}

impl Filesystem for Server {
    fn init(&mut self, _: &Request, _: &mut KernelConfig) -> io::Result<()> {
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let outcome = self.with(|volume| {
            let ino = volume.lookup(parent.0, name)?;
            attributes(volume, ino)
        });
        answer_entry(outcome, reply);
    }

    fn forget(&self, _: &Request, ino: INodeNo, count: u64) {
        // Nobody waits for an answer; a device that fails here fails again at the end.
        let _ = self.with(|volume| volume.forget(ino.0, count));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|volume| attributes(volume, ino.0)) {
            Ok(attr) => reply.attr(&ATTR_TTL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let outcome = self.with(|volume| {
            volume.set_owner_and_mode(ino.0, uid, gid, mode)?;
            if let Some(size) = size {
                volume.truncate(ino.0, size)?;
            }
            if atime.is_some() || mtime.is_some() {
                volume.set_times(ino.0, atime.map(time), mtime.map(time))?;
            }
            attributes(volume, ino.0)
        });
        match outcome {
            Ok(attr) => reply.attr(&ATTR_TTL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let regular = SFlag::from_bits_truncate(mode as mode_t) & SFlag::S_IFMT == SFlag::S_IFREG;
        if !regular {
            return reply.error(fuser::Errno::EPERM);
        }
        let outcome = self.with(|volume| {
            let ino = volume.create(parent.0, name)?;
            entered(volume, ino)
        });
        answer_entry(outcome, reply);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let outcome = self.with(|volume| {
            let ino = volume.mkdir(parent.0, name)?;
            entered(volume, ino)
        });
        answer_entry(outcome, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.with(|volume| volume.unlink(parent.0, name)), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.with(|volume| volume.rmdir(parent.0, name)), reply);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(fuser::Errno::EPERM);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(fuser::Errno::EPERM);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !(flags - RenameFlags::RENAME_NOREPLACE).is_empty() {
            return reply.error(fuser::Errno::EINVAL);
        }
        let keep = flags.contains(RenameFlags::RENAME_NOREPLACE);
        let outcome = self.with(|volume| volume.rename((parent.0, name), (to.0, new_name), keep));
        answer(outcome, reply);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.with(|volume| volume.opened(ino.0)) {
            // Numbers are never used twice and nobody else writes: cached content stays right.
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let outcome = self.with(|volume| {
            let ino = volume.create(parent.0, name)?;
            volume.opened(ino)?;
            entered(volume, ino)
        });
        let flags = FopenFlags::FOPEN_KEEP_CACHE;
        match outcome {
            // There is one lifetime for the name and the attributes here; the name's is the stricter.
            Ok(attr) => reply.created(&NAME_TTL, &attr, Generation(0), FileHandle(0), flags),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.with(|volume| volume.read(ino.0, offset, size)) {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.with(|volume| volume.write(ino.0, offset, bytes)) {
            Ok(()) => reply.written(bytes.len() as u32),
            Err(errno) => reply.error(errno),
        }
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        answer(self.with(|volume| volume.released(ino.0)), reply);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.with(Volume::flush), reply);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.with(Volume::flush), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.with(|volume| list(volume, ino.0, offset, &mut reply)) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let numbers = self.with(|volume| {
            let geometry = volume.geometry;
            Ok((geometry.clusters, volume.table.free(), geometry.cluster))
        });
        match numbers {
            Ok((total, free, cluster)) => {
                let (total, free) = (u64::from(total), u64::from(free));
                reply.statfs(total, free, free, 0, 0, cluster, 255, cluster);
            }
            Err(errno) => reply.error(errno),
        }
    }
}

fn list(volume: &mut Volume, ino: u64, offset: u64, reply: &mut ReplyDirectory) -> Outcome<()> {
    let node = volume.node(ino)?;
    let above = if ino == ROOT { ROOT } else { node.parent };
    if node.slot.is_none() && ino != ROOT {
        // A directory that was removed while somebody has it open.
        return Ok(());
    }
    for (place, number, name) in [(0, ino, "."), (1, above, "..")] {
        if offset <= place && reply.add(INodeNo(number), place + 1, FileType::Directory, name) {
            return Ok(());
        }
    }
    let first = u32::try_from(offset.saturating_sub(FIRST_SLOT)).unwrap_or(u32::MAX);
    let dir = volume.directory(ino)?;
    let files: Vec<_> = dir
        .list(first)
        .take(1024)
        .map(|(slot, name)| (slot, name.to_owned(), dir.entry(slot).is_dir()))
        .collect();
    for (slot, name, is_dir) in files {
        // A file that was never looked up has no number yet; any that is none will do.
        let number = volume.known(ino, slot).unwrap_or(u64::from(slot) | 1 << 48);
        let kind = if is_dir {
            FileType::Directory
        } else {
            FileType::RegularFile
        };
        if reply.add(
            INodeNo(number),
            u64::from(slot) + FIRST_SLOT + 1,
            kind,
            name,
        ) {
            break;
        }
    }
    Ok(())
}
