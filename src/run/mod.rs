//! The life of a run, from a checked plan to its end: signals, the stage's session, and what is put off.
//!
//! [`playbook`] is `pichroot ansible`; [`command`] is `exec` and `shell`.

pub mod command;
mod deferred;
mod early;
mod job;
mod listing;
mod opened;
pub mod playbook;
mod session;
mod signals;

use crate::error::{Error, Result};

/// Refuses to go on without root: mounting and loop devices need it.
fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::host("pichroot mounts the image, which needs root")
        .hint("run it with sudo; the output will belong to you"))
}
