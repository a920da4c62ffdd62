//! What is known of the machine before the image is opened.

use serde::{Deserialize, Serialize};

use super::board::Board;
use crate::emulation::arch::Arch;

/// What is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetPlan {
    /// What the image's programs are for.
    pub arch: Arch,
    /// The board, if one is named.
    pub board: Option<Board>,
    /// Whether this host runs the image's programs itself.
    pub native: bool,
}
