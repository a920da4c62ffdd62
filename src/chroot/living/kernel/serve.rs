//! Answers the host's kernel, which asks for the files of the image's kernel over FUSE.

use std::{
    collections::HashMap,
    ffi::OsStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenAccMode, OpenFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno;

use super::{Shared, view::Node};

/// How long a name below /proc/sys is taken for granted: every emulated program reads one as it starts.
const LASTING: Duration = Duration::from_secs(60);
/// Modules come and go.
const NOW: Duration = Duration::ZERO;
/// The top's number.
const TOP: u64 = 1;

/// The file system as the session sees it.
#[derive(Debug)]
pub struct Server {
    kernel: Shared,
    paths: Mutex<Paths>,
}

/// The numbers of files. There are only so many, and each keeps its own for ever.
#[derive(Debug)]
struct Paths {
    /// The path of each number, from [`TOP`] on.
    by_number: Vec<String>,
    numbers: HashMap<String, u64>,
}

impl Paths {
    fn number(&mut self, path: &str) -> u64 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = TOP + self.by_number.len() as u64;
        self.by_number.push(path.to_owned());
        self.numbers.insert(path.to_owned(), number);
        number
    }
}

impl Server {
    pub fn new(kernel: Shared) -> Self {
        let mut paths = Paths {
            by_number: Vec::new(),
            numbers: HashMap::new(),
        };
        paths.number("");
        Server {
            kernel,
            paths: Mutex::new(paths),
        }
    }

    fn paths(&self) -> MutexGuard<'_, Paths> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, number: INodeNo) -> Result<String, Errno> {
        let index = number.0.checked_sub(TOP).ok_or(Errno::ENOENT)?;
        let path = self.paths().by_number.get(index as usize).cloned();
        path.ok_or(Errno::ENOENT)
    }

    fn attributes(&self, path: &str) -> Result<FileAttr, Errno> {
        let node = self.kernel.lock().node(path).ok_or(Errno::ENOENT)?;
        let (kind, perm) = match node {
            Node::Folder => (FileType::Directory, 0o555),
            Node::File(mode) => (FileType::RegularFile, mode),
        };
        Ok(FileAttr {
            ino: INodeNo(self.paths().number(path)),
            // As in /proc, where nobody knows before it is read.
            size: 0,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<(FileAttr, Duration), Errno> {
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        let path = match self.path(parent)? {
            parent if parent.is_empty() => name.to_owned(),
            parent => format!("{parent}/{name}"),
        };
        let lasts = match path.starts_with("sys/") {
            true => LASTING,
            false => NOW,
        };
        Ok((self.attributes(&path)?, lasts))
    }

    /// The kernel's own files say no even to root.
    fn may_open(&self, number: INodeNo, flags: OpenFlags) -> Result<(), Errno> {
        let node = self.kernel.lock().node(&self.path(number)?);
        let Some(Node::File(mode)) = node else {
            return Err(Errno::ENOENT);
        };
        let (reads, writes) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        match (reads && mode & 0o444 == 0) || (writes && mode & 0o222 == 0) {
            true => Err(Errno::EACCES),
            false => Ok(()),
        }
    }

    fn list(&self, number: INodeNo, offset: u64, reply: &mut ReplyDirectory) -> Result<(), Errno> {
        let path = self.path(number)?;
        let names = self.kernel.lock().names(&path)?;
        let own = [".", ".."].map(|name| (name.to_owned(), Node::Folder));
        let all = own.into_iter().chain(names).zip(1..);
        for ((name, node), next) in all.skip(offset as usize) {
            let kind = match node {
                Node::Folder => FileType::Directory,
                Node::File(_) => FileType::RegularFile,
            };
            // Any number that is none will do: who wants to know looks the name up.
            if reply.add(INodeNo(u64::MAX), next, kind, name) {
                break;
            }
        }
        Ok(())
    }
}

fn code(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno as i32)
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent, name) {
            Ok((attr, lasts)) => reply.entry(&lasts, &attr, Generation(0)),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.path(number).and_then(|path| self.attributes(&path)) {
            Ok(attr) => reply.attr(&LASTING, &attr),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        // To empty a file before it is written, or to set its time, does nothing.
        let changes = mode.is_some() || uid.is_some() || gid.is_some();
        let attributes = match changes {
            true => Err(Errno::EPERM),
            false => self.path(number).and_then(|path| self.attributes(&path)),
        };
        match attributes {
            Ok(attr) => reply.attr(&LASTING, &attr),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.may_open(number, flags) {
            // Of no known size, and another one at every time.
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        reply.error(fuser::Errno::ENOENT);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let text = self.path(number).and_then(|path| self.kernel.lock().read(&path));
        match text {
            Ok(text) => {
                let start = text.len().min(offset as usize);
                let end = text.len().min(start + size as usize);
                reply.data(&text.as_bytes()[start..end]);
            }
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // A value is what is written at the start. The kernel lets the rest pass (sysctl_writes_strict).
        let written = match offset {
            0 => self.path(number).and_then(|path| self.kernel.lock().write(&path, bytes)),
            _ => Ok(()),
        };
        match written {
            Ok(()) => reply.written(bytes.len() as u32),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.list(number, offset, &mut reply) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }
}
