//! What clients and the executor say to each other, in frames ([`crate::sys::frame`]).
//!
//! docs/executor-protocol.md describes it for other clients; the connection plugin is one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::Failure,
    event::FirstBoot,
    sys::{children::Ending, terminal::Size},
};

/// Raised when a message changes its meaning.
pub const VERSION: u32 = 2;

/// A client's message; descriptors come beside.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What it wants.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What a client may want.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A command to be run.
    Exec(Exec),
    /// A file to be written, from a pipe.
    Put(Put),
    /// A file to be read, into a pipe.
    Fetch(Fetch),
    /// The running command to be ended.
    Cancel {},
    /// The zygotes to be ended.
    Reset {},
    /// What the first boot is to do to be put into the image, and all that was put off until now to be told.
    FirstBoot {},
    /// A zygote to be started, with a library in memory, before the first module comes.
    Warm(Warm),
    /// The board to be this one from now on.
    Board(String),
    /// What a module gathered as facts, to be told as it is on the machine that the image becomes.
    Facts(Map<String, Value>),
}

impl Ask {
    /// As a request.
    pub fn request(self) -> Request {
        Request {
            version: VERSION,
            ask: self,
        }
    }
}

/// A command. Its standard input, output and error come as descriptors, unless it gets a terminal.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exec {
    /// The program, looked up in the chroot's PATH, and its arguments.
    pub argv: Vec<String>,
    /// The size of the terminal to run it in, if it is to have one.
    #[serde(default)]
    pub terminal: Option<Size>,
    /// The name of Ansible's task that it belongs to.
    #[serde(default)]
    pub task: Option<String>,
}

/// A file to be written whole or not at all.
#[derive(Debug, Serialize, Deserialize)]
pub struct Put {
    /// Its absolute path; links are followed inside the chroot.
    pub path: String,
    /// Its length in bytes: a pipe that ends earlier is a client that went away.
    pub size: u64,
    /// Its mode; else that of the file it replaces, else 0600.
    #[serde(default)]
    pub mode: Option<u32>,
    /// Its user and group; else those of the file it replaces, else root's.
    #[serde(default)]
    pub owner: Option<(u32, u32)>,
}

/// A regular file to be read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fetch {
    /// Its absolute path.
    pub path: String,
}

/// A Python library, in a file in memory.
#[derive(Debug, Serialize, Deserialize)]
pub struct Warm {
    /// The Python of the image, as modules will ask for it.
    pub interpreter: String,
    /// Every module there is.
    pub library: Vec<Source>,
    /// Those to import, with all that they import, in steps: modules can be run between them.
    pub import: Vec<Vec<String>>,
}

/// One module of a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its dotted name.
    pub name: String,
    /// Whether it is a package's `__init__.py`.
    pub package: bool,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The length of the compiled module that follows it, as Python's cache has it; or 0.
    #[serde(default)]
    pub cached: u64,
    /// The CRC-32 of its text, as in a zip archive.
    pub crc: u32,
}

/// What the executor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The other end of the command's terminal, as a descriptor.
    Terminal {},
    /// The command ended.
    Ended {
        /// How.
        how: Ending,
        /// Names of processes that it left running.
        left: Vec<String>,
    },
    /// The file is there, or all of it is in the pipe, or the zygotes are gone, or the board is another.
    Done {},
    /// The facts of the machine.
    Facts(Map<String, Value>),
    /// All that was put off, in order; or the image lacks something of it.
    FirstBoot(Result<FirstBoot, Failure>),
    /// It could not be done.
    Refused {
        /// For a command the shell's code, 127: not found, or 126: cannot be run; else 1.
        code: i32,
        /// What the kernel said.
        why: String,
    },
}
