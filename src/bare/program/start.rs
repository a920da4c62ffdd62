//! The system calls that only the asker needs.

use crate::calls::{Descriptor, call, number, retried};

const F_SETFD: usize = 2;
const AT_EMPTY_PATH: usize = 0x1000;
const AT_FDCWD: isize = -100;
const X_OK: usize = 1;
/// More than a program is long, and less than the kernel takes, in bytes.
const MOST: usize = 1 << 30;

impl Descriptor {
    /// Lets a program that is started have it.
    pub fn keep(self) {
        unsafe { call(number::FCNTL, [self.0 as usize, F_SETFD, 0, 0, 0, 0]) };
    }

    /// Writes all of `file` to this one; whether it could.
    pub unsafe fn take_from(self, file: Descriptor) -> bool {
        let mut from = 0_u64;
        loop {
            let at = (&raw mut from) as usize;
            let send = [self.0 as usize, file.0 as usize, at, MOST, 0, 0];
            match unsafe { retried(number::SENDFILE, send) } {
                0 => return true,
                failed if failed < 0 => return false,
                _ => {}
            }
        }
    }

    /// Reads all of `length` bytes from place `at` of a file; whether it could.
    pub unsafe fn read_at(self, into: *mut u8, length: usize, at: usize) -> bool {
        let read = [self.0 as usize, into as usize, length, at, 0, 0];
        unsafe { retried(number::PREAD64, read) == length as isize }
    }

    /// Writes all of `length` bytes to place `at` of a file; whether it could.
    pub unsafe fn write_at(self, from: *const u8, length: usize, at: usize) -> bool {
        let write = [self.0 as usize, from as usize, length, at, 0, 0];
        unsafe { retried(number::PWRITE64, write) == length as isize }
    }
}

/// Whether there is a program at `path`, which ends with NUL.
pub unsafe fn is_program(path: *const u8) -> bool {
    let access = [AT_FDCWD as usize, path as usize, X_OK, 0, 0, 0];
    unsafe { call(number::FACCESSAT, access) == 0 }
}

/// Becomes the program at `path`. Returns if it cannot.
pub unsafe fn execute(path: *const u8, arguments: *const *const u8, variables: *const *const u8) {
    let start = [
        path as usize,
        arguments as usize,
        variables as usize,
        0,
        0,
        0,
    ];
    unsafe { call(number::EXECVE, start) };
}

/// Becomes the program in `file`. Returns if it cannot.
pub unsafe fn execute_file(
    file: Descriptor,
    arguments: *const *const u8,
    variables: *const *const u8,
) {
    let path = c"".as_ptr() as usize;
    let (arguments, variables) = (arguments as usize, variables as usize);
    let start = [
        file.0 as usize,
        path,
        arguments,
        variables,
        AT_EMPTY_PATH,
        0,
    ];
    unsafe { call(number::EXECVEAT, start) };
}
