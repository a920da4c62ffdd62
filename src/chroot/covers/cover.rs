//! What ours are, and what the executor has to do about them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names;

/// Exit 101 is "action forbidden by policy" (policy-rc.d's specification).
pub const POLICY_TEXT: &str =
    "#!/bin/sh\n# Put here by pichroot while it provisions the image.\nexit 101\n";

/// What we put in a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cover {
    /// policy-rc.d
    Policy,
    /// resolv.conf
    Names,
}

impl Cover {
    /// Where ours is in the chroot's memory.
    pub fn link(self) -> &'static str {
        match self {
            Cover::Policy => "/run/pichroot/policy-rc.d",
            Cover::Names => "/run/pichroot/resolv.conf",
        }
    }

    /// The mode of ours.
    pub fn mode(self) -> u32 {
        match self {
            Cover::Policy => 0o755,
            Cover::Names => 0o644,
        }
    }

    /// What is left of `text` without ours; `None` if ours is not in it.
    pub fn without(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Cover::Policy => (text == POLICY_TEXT.as_bytes()).then(Vec::new),
            Cover::Names => names::without_ours(text),
        }
    }
}

/// What the executor has to do about them, once the chroot's memory is there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Covering {
    /// What resolv.conf is to say, wherever it may lead; `None` without a network.
    pub names: Option<String>,
    /// Where it leads in the chroot's memory.
    pub leads_to: Option<PathBuf>,
    /// Files that ours is to be bound over, and what ours says.
    pub bound: Vec<(PathBuf, Cover, String)>,
}
