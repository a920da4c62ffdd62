//! What is asked of a published tree: whose it is, and where its root is.

use serde::{Deserialize, Serialize};

use super::Board;
use crate::emulation::arch::Arch;

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
    pub fn boards(&self) -> &[Board] {
        match self.boards.is_empty() {
            true => &Board::ALL,
            false => &self.boards,
        }
    }
}
