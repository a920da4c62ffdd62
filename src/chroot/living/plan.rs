//! Whether programs are answered, and how.

use serde::{Deserialize, Serialize};

/// They are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivingPlan {
    /// Whether there may be a unit for the first boot: see [`Machine`](super::machine::Machine).
    pub first_boot: bool,
}
