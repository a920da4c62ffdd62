//! What clients and the executor say to each other, in frames ([`crate::sys::frame`]).

use serde::{Deserialize, Serialize};

use crate::sys::{children::Ending, terminal::Size};

/// Raised when a message changes its meaning; the two sides are the same binary, so this guards
/// only against a socket of an older one.
pub const VERSION: u32 = 1;

/// A client's first and only message; its standard input, output and error come as descriptors,
/// unless it asks for a terminal.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// The program, looked up in the chroot's PATH, and its arguments.
    pub argv: Vec<String>,
    /// The size of the terminal to run it in, if it is to have one.
    pub terminal: Option<Size>,
}

/// What the executor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The other end of the command's terminal, as a descriptor.
    Terminal,
    /// The command ended.
    Ended(Ending),
    /// It could not be started; the shell's code for that (126 or 127), and why.
    Refused {
        /// 127: not found; 126: found, but cannot be run.
        code: i32,
        /// What the kernel said.
        why: String,
    },
}
