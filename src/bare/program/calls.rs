//! The system calls that both programs need.

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod processor;

pub use processor::{call, number};

const AF_UNIX: usize = 1;
const SOCK_STREAM: usize = 1;
const SOCK_CLOEXEC: usize = 0o2000000;
const MSG_NOSIGNAL: usize = 0x4000;

pub const MFD_CLOEXEC: usize = 1;
/// From Linux 6.3; all that have a binfmt_misc of ours are newer.
pub const MFD_EXEC: usize = 0x10;

const EINTR: isize = -4;
const EAGAIN: isize = -11;
const POLLIN: u16 = 1;
const POLLOUT: u16 = 4;

/// An open file; negative is none.
#[derive(Clone, Copy)]
pub struct Descriptor(pub isize);

impl Descriptor {
    /// A stream to the socket at this `struct sockaddr_un`.
    pub unsafe fn connect(address: *const u8, length: usize) -> Option<Self> {
        let kind = SOCK_STREAM | SOCK_CLOEXEC;
        let socket = unsafe { call(number::SOCKET, [AF_UNIX, kind, 0, 0, 0, 0]) };
        if socket < 0 {
            return None;
        }
        let connect = [socket as usize, address as usize, length, 0, 0, 0];
        if unsafe { retried(number::CONNECT, connect) } < 0 {
            Descriptor(socket).close();
            return None;
        }
        Some(Descriptor(socket))
    }

    /// A new file in memory, under the name at `name`.
    pub unsafe fn in_memory(name: *const u8, flags: usize) -> Option<Self> {
        let create = [name as usize, flags, 0, 0, 0, 0];
        let file = unsafe { call(number::MEMFD_CREATE, create) };
        (file >= 0).then_some(Descriptor(file))
    }

    /// Goes back to the beginning of a file; whether it could.
    pub fn rewind(self) -> bool {
        unsafe { call(number::LSEEK, [self.0 as usize, 0, 0, 0, 0, 0]) == 0 }
    }

    /// Takes the place of descriptor `other`; whether it could.
    pub fn replace(self, other: usize) -> bool {
        let replaced = unsafe { call(number::DUP3, [self.0 as usize, other, 0, 0, 0, 0]) } >= 0;
        self.close();
        replaced
    }

    pub fn close(self) {
        unsafe { call(number::CLOSE, [self.0 as usize, 0, 0, 0, 0, 0]) };
    }

    /// Reads what is there, up to `length` bytes; how many, 0 at the end or where it cannot be read.
    pub unsafe fn read(self, into: *mut u8, length: usize) -> usize {
        let read = [self.0 as usize, into as usize, length, 0, 0, 0];
        let got = unsafe { self.waited(number::READ, read, POLLIN) };
        if got < 0 { 0 } else { got as usize }
    }

    /// Reads all of `length` bytes; whether there were so many.
    pub unsafe fn read_all(self, into: *mut u8, length: usize) -> bool {
        let mut done = 0;
        while done < length {
            let got = unsafe { self.read(into.add(done), length - done) };
            if got == 0 {
                return false;
            }
            done += got;
        }
        true
    }

    /// Writes all of `length` bytes; whether it could.
    pub unsafe fn write_all(self, from: *const u8, length: usize) -> bool {
        unsafe { self.give(number::WRITE, from, length, 0) }
    }

    /// The same to a socket, whose other end may be gone.
    pub unsafe fn send_all(self, from: *const u8, length: usize) -> bool {
        unsafe { self.give(number::SENDTO, from, length, MSG_NOSIGNAL) }
    }

    unsafe fn give(self, number: usize, from: *const u8, length: usize, flags: usize) -> bool {
        let mut done = 0;
        while done < length {
            let at = unsafe { from.add(done) } as usize;
            let write = [self.0 as usize, at, length - done, flags, 0, 0];
            let got = unsafe { self.waited(number, write, POLLOUT) };
            if got < 0 {
                return false;
            }
            done += got as usize;
        }
        true
    }

    /// A call that is tried again after signals, and, where the descriptor does not wait by itself, when it is ready.
    unsafe fn waited(self, number: usize, arguments: [usize; 6], events: u16) -> isize {
        loop {
            let result = unsafe { retried(number, arguments) };
            if result != EAGAIN {
                return result;
            }
            // struct pollfd: the descriptor, what is waited for, what has come.
            let mut poll = self.0 as u32 as u64 | (events as u64) << 32;
            let at = (&raw mut poll) as usize;
            unsafe { call(number::PPOLL, [at, 1, 0, 0, 0, 0]) };
        }
    }
}

/// A call that is tried again after signals.
pub unsafe fn retried(number: usize, arguments: [usize; 6]) -> isize {
    loop {
        let result = unsafe { call(number, arguments) };
        if result != EINTR {
            return result;
        }
    }
}

/// The folder that this process is in, with a NUL at its end; its length with that, or 0.
pub unsafe fn folder(into: *mut u8, length: usize) -> usize {
    let got = unsafe { call(number::GETCWD, [into as usize, length, 0, 0, 0, 0]) };
    if got < 0 { 0 } else { got as usize }
}

/// Ends this process.
pub fn exit(code: u32) -> ! {
    loop {
        unsafe { call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]) };
    }
}
