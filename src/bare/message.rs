//! What a program that waits for an answer and the executor say to each other. All machines that run them are little-endian.
//!
//! The program sends a [`Request`], then the folder it was started in, its path, and its arguments and environment, each of these
//! ended by NUL. A [`Reply`] comes back. After [`INPUT`] the program sends what is on its standard input, in pieces with their
//! length as u32 in front, then a 0, and gets another reply.

/// The executor's socket in the chroot, ended by NUL as in the kernel's address.
pub const SOCKET: [u8; 108] = {
    let name = b"/run/pichroot/living.sock";
    let mut path = [0; 108];
    let mut at = 0;
    while at < name.len() {
        path[at] = name[at];
        at += 1;
    }
    path
};

/// In the environment of what is not to be answered, as the executor itself started it.
pub const REAL: &str = "PICHROOT_REAL";

/// The first bytes of a request.
pub const MAGIC: u32 = u32::from_le_bytes(*b"ask\x01");

/// What a program asks.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// [`MAGIC`].
    pub magic: u32,
    /// How many of the strings are arguments, its name the first.
    pub arguments: u32,
    /// The length of the folder in bytes, without a NUL.
    pub folder: u32,
    /// The length of the path.
    pub path: u32,
    /// The length of arguments and environment, with their NULs.
    pub strings: u32,
}

/// What it is to do.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// One of [`PASS`], [`SAID`], [`INPUT`].
    pub kind: u32,
    /// With [`SAID`]: its exit code.
    pub code: u32,
    /// How many bytes follow for its standard output; with [`PASS`], what it has sent of its standard input.
    pub out: u32,
    /// How many bytes follow those for its standard error.
    pub err: u32,
}

/// To go on as the program itself.
pub const PASS: u32 = 0;
/// To say what follows, and to exit.
pub const SAID: u32 = 1;
/// To send what is on its standard input.
pub const INPUT: u32 = 2;
