//! Answers the host's kernel, which asks for the files of the image's kernel over FUSE.

use std::{
    collections::HashMap,
    ffi::OsStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use fuser::{
    AccessFlags, BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno;

use super::{
    Shared,
    view::{LACKING, Node},
};

/// How long a name below /proc/sys is taken for granted: every emulated program reads one as it starts.
const LASTING: Duration = Duration::from_secs(60);
/// Modules come and go.
const NOW: Duration = Duration::ZERO;
/// How long it is taken for granted that a file is not lacking: qemu looks for every file.
const A_WHILE: Duration = Duration::from_secs(1);
/// The top's number.
const TOP: u64 = 1;
/// The number of what is not there (fuse_entry_out).
const NONE: u64 = 0;

/// Which of Ansible's tasks a process belongs to.
pub type TaskOf = Box<dyn Fn(u32) -> Option<String> + Send + Sync>;

/// The file system as the session sees it.
pub struct Server {
    kernel: Shared,
    task_of: TaskOf,
    paths: Mutex<Paths>,
    started: SystemTime,
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
    pub fn new(kernel: Shared, task_of: TaskOf) -> Self {
        let mut paths = Paths {
            by_number: Vec::new(),
            numbers: HashMap::new(),
        };
        paths.number("");
        Server {
            kernel,
            task_of,
            paths: Mutex::new(paths),
            started: SystemTime::now(),
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
        let number = self.paths().number(path);
        Ok(attributes(number, node, self.started))
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

    fn is_lacking(&self, folder: INodeNo) -> bool {
        self.path(folder)
            .is_ok_and(|path| path.starts_with(LACKING))
    }

    /// Whether who asks may do this with the file. Not even root may what the permissions do not allow.
    fn may(&self, asks: &Request, number: INodeNo, reads: bool, writes: bool) -> Result<(), Errno> {
        let node = self.kernel.lock().node(&self.path(number)?);
        let Some(Node::File(mode)) = node else {
            return Err(Errno::ENOENT);
        };
        let mode = match (asks.uid(), asks.gid()) {
            (0, _) => mode >> 6,
            (_, 0) => mode >> 3,
            _ => mode,
        };
        match (reads && mode & 0o4 == 0) || (writes && mode & 0o2 == 0) {
            true => Err(Errno::EACCES),
            false => Ok(()),
        }
    }

    /// access(2). What is lacking is only a file, by its whole path: see [lacking](super::lacking).
    fn may_access(&self, asks: &Request, number: INodeNo, mask: AccessFlags) -> Result<(), Errno> {
        let path = self.path(number)?;
        let has = |flag| mask.contains(flag);
        let node = self.kernel.lock().node(&path).ok_or(Errno::ENOENT)?;
        match node {
            Node::Folder if path.starts_with(LACKING) => Err(Errno::ENOENT),
            Node::Folder if has(AccessFlags::W_OK) => Err(Errno::EACCES),
            Node::Folder => Ok(()),
            Node::File(_) if has(AccessFlags::X_OK) => Err(Errno::EACCES),
            Node::File(_) => self.may(asks, number, has(AccessFlags::R_OK), has(AccessFlags::W_OK)),
            Node::Link(_) => Ok(()),
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
                Node::Link(_) => FileType::Symlink,
            };
            // Any number that is none will do: who wants to know looks the name up.
            if reply.add(INodeNo(u64::MAX), next, kind, name) {
                break;
            }
        }
        Ok(())
    }
}

fn attributes(number: u64, node: Node, time: SystemTime) -> FileAttr {
    let (kind, perm) = match node {
        Node::Folder => (FileType::Directory, 0o555),
        Node::File(mode) => (FileType::RegularFile, mode),
        Node::Link(_) => (FileType::Symlink, 0o777),
    };
    FileAttr {
        ino: INodeNo(number),
        // As in /proc, where nobody knows before it is read.
        size: 0,
        blocks: 0,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn code(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno as i32)
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent, name) {
            Ok((attr, lasts)) => reply.entry(&lasts, &attr, Generation(0)),
            // It need not be told again at once.
            Err(Errno::ENOENT) if self.is_lacking(parent) => {
                reply.entry(
                    &A_WHILE,
                    &attributes(NONE, Node::Folder, self.started),
                    Generation(0),
                );
            }
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.path(number).and_then(|path| self.attributes(&path)) {
            Ok(attr) => reply.attr(&LASTING, &attr),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let node = self.path(number).map(|path| self.kernel.lock().node(&path));
        match node {
            Ok(Some(Node::Link(to))) => reply.data(to.as_bytes()),
            Ok(_) => reply.error(fuser::Errno::EINVAL),
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

    fn access(&self, asks: &Request, number: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        match self.may_access(asks, number, mask) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn open(&self, asks: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let (reads, writes) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        match self.may(asks, number, reads, writes) {
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

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(fuser::Errno::EPERM);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(fuser::Errno::EPERM);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: INodeNo,
        _: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::EPERM);
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
        let text = self
            .path(number)
            .and_then(|path| self.kernel.lock().read(&path));
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
        asks: &Request,
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
            0 => self.path(number).and_then(|path| {
                let task = (self.task_of)(asks.pid());
                self.kernel.lock().write(&path, bytes, task)
            }),
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
