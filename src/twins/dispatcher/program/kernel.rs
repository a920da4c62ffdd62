//! The system calls that only the dispatcher needs, of x86_64.

use crate::calls::{Descriptor, call};

const OPEN: usize = 2;
const STAT: usize = 4;
const FSTAT: usize = 5;
const MMAP: usize = 9;
const MUNMAP: usize = 11;
const PREAD: usize = 17;
const ACCESS: usize = 21;

pub const O_RDONLY: usize = 0;
pub const O_RDWR: usize = 2;
const O_CLOEXEC: usize = 0o2000000;

pub const PROT_NONE: usize = 0;
pub const PROT_READ: usize = 1;
pub const PROT_WRITE: usize = 2;
pub const MAP_SHARED: usize = 1;
pub const MAP_PRIVATE: usize = 2;
pub const MAP_FIXED: usize = 0x10;
pub const MAP_ANONYMOUS: usize = 0x20;

/// `struct stat` of x86_64 (arch/x86/include/uapi/asm/stat.h).
#[repr(C)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    links: u64,
    pub mode: u32,
    uid: u32,
    gid: u32,
    padding: u32,
    raw_device: u64,
    pub size: i64,
    block_size: i64,
    blocks: i64,
    accessed: [i64; 2],
    pub modified: [i64; 2],
    pub changed: [i64; 2],
    unused: [i64; 3],
}

impl Descriptor {
    /// Opens the file at `path`, which ends with NUL.
    pub unsafe fn open(path: *const u8, flags: usize) -> Option<Self> {
        let file = unsafe { call(OPEN, [path as usize, flags | O_CLOEXEC, 0, 0, 0, 0]) };
        (file >= 0).then_some(Descriptor(file))
    }

    pub fn stat(self) -> Option<Stat> {
        let mut stat = core::mem::MaybeUninit::<Stat>::uninit();
        let at = stat.as_mut_ptr() as usize;
        let failed = unsafe { call(FSTAT, [self.0 as usize, at, 0, 0, 0, 0]) } != 0;
        (!failed).then(|| unsafe { stat.assume_init() })
    }

    /// Reads up to `length` bytes from the start of the file; how many.
    pub unsafe fn read_start(self, into: *mut u8, length: usize) -> usize {
        let got = unsafe { call(PREAD, [self.0 as usize, into as usize, length, 0, 0, 0]) };
        if got < 0 { 0 } else { got as usize }
    }
}

/// What is at `path`, which ends with NUL; links are followed.
pub unsafe fn stat(path: *const u8) -> Option<Stat> {
    let mut stat = core::mem::MaybeUninit::<Stat>::uninit();
    let at = stat.as_mut_ptr() as usize;
    let failed = unsafe { call(STAT, [path as usize, at, 0, 0, 0, 0]) } != 0;
    (!failed).then(|| unsafe { stat.assume_init() })
}

/// Maps memory; null when the kernel refuses.
pub unsafe fn map(
    at: usize,
    length: usize,
    protection: usize,
    flags: usize,
    file: Descriptor,
    offset: u64,
) -> *mut u8 {
    let got = unsafe {
        call(
            MMAP,
            [
                at,
                length,
                protection,
                flags,
                file.0 as usize,
                offset as usize,
            ],
        )
    };
    if got < 0 {
        core::ptr::null_mut()
    } else {
        got as *mut u8
    }
}

pub unsafe fn unmap(at: *const u8, length: usize) {
    unsafe { call(MUNMAP, [at as usize, length, 0, 0, 0, 0]) };
}

/// Whether there is anything at `path`, which ends with NUL.
pub unsafe fn exists(path: *const u8) -> bool {
    unsafe { call(ACCESS, [path as usize, 0, 0, 0, 0, 0]) == 0 }
}
