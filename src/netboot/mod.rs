//! What is known to leave a Pi hanging that boots from the network, looked for in what is published and in its root.
//!
//! [`check`] makes the checks of [`Name`], from files alone: nothing of the image is run. docs/netboot-checks.md says what each looks
//! at, and where that is known from. Boards are those of `hn_board`.

mod board;
mod checks;
mod config;
mod cpio;
mod finding;
mod glob;
mod kernel;
mod load;
mod name;
mod seen;
#[cfg(test)]
mod tests;
mod tree;
mod units;

use std::{fmt, io};

use serde::{Deserialize, Serialize};

pub use board::Board;
pub use finding::{Finding, Verdict};
pub use name::Name;
pub use tree::{Kind, Stat, Tree};

use crate::emulation::arch::Arch;
use finding::Notes;
use seen::Seen;

/// What is to boot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// The name of the folder below the root of the TFTP server; `None` where that is not known.
    pub directory: Option<String>,
    /// Whether that is made of the MAC address, and not of the serial number.
    pub by_mac: bool,
    /// The boards; empty for all.
    pub boards: Vec<Board>,
    /// The architecture of the root's programs.
    pub architecture: Arch,
    /// Where the root file system is.
    pub root: RootOn,
}

/// Where a root file system is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootOn {
    /// On a block device of Ceph.
    Rbd {
        /// Its partition, if it has a table.
        partition: Option<u32>,
    },
    /// In a folder that a server exports.
    Nfs {
        /// Its name or address.
        server: String,
        /// The folder.
        path: String,
    },
    /// Elsewhere, which these checks cannot judge.
    Other,
}

impl Wanted {
    /// The boards that are checked.
    fn boards(&self) -> &[Board] {
        match self.boards.is_empty() {
            true => &Board::ALL,
            false => &self.boards,
        }
    }
}

/// Makes all checks but those of `skip`: `boot` is the folder that the firmware boots from, `root` the root file system. Each check has at
/// least one finding.
pub fn check(
    boot: &dyn Tree,
    root: Option<&dyn Tree>,
    wanted: &Wanted,
    skip: &[Name],
) -> Vec<Finding> {
    let seen = match Seen::new(boot, root, wanted) {
        Ok(seen) => seen,
        Err(error) => return nothing_known(&error, skip),
    };
    let made = Name::ALL.into_iter().filter(|name| !skip.contains(name));
    made.flat_map(|name| {
        let mut notes = Notes::new(name);
        if let Err(error) = checks::make(name, &seen, &mut notes) {
            notes.unknown(error.to_string());
        }
        notes.end()
    })
    .collect()
}

/// Where not even the files of the firmware can be read.
fn nothing_known(error: &io::Error, skip: &[Name]) -> Vec<Finding> {
    let made = Name::ALL.into_iter().filter(|name| !skip.contains(name));
    made.flat_map(|name| {
        let mut notes = Notes::new(name);
        notes.unknown(error.to_string());
        notes.end()
    })
    .collect()
}

/// An error with the path that it is about.
fn at(path: &str, error: &dyn fmt::Display) -> io::Error {
    io::Error::other(format!("cannot read {path}: {error}"))
}
