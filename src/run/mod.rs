//! The life of a run, from a checked plan to its end: signals, the stage's session, and what is put off.
//!
//! [`playbook`] is `pichroot ansible`; [`command`] is `exec` and `shell`; [`boot`] starts a machine; [`images`] and [`import`] open none.

mod beginning;
pub mod boot;
pub mod command;
mod deferred;
mod early;
mod finishing;
mod first_boot;
pub mod flash;
pub mod images;
pub mod import;
mod job;
mod journal;
mod listing;
mod made_of;
mod new_image;
mod opened;
pub mod playbook;
mod processor;
pub mod publish;
mod reached;
mod session;
mod signals;
mod sizing;
mod work;

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::error::{Context, Error, Kind, Result};

/// Refuses to go on without root: mounting and loop devices need it.
fn need_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return lift_limit_of_files();
    }
    Err(Error::host("pichroot mounts the image, which needs root")
        .hint("run it with sudo; the output will belong to you"))
}

/// By a limit of the size of files (`ulimit -f`) the kernel would end whatever writes into the image, without a word.
fn lift_limit_of_files() -> Result<()> {
    setrlimit(Resource::RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY)
        .context(Kind::Host, || {
            "cannot lift the limit of the size of files".into()
        })
        .map_err(|error| error.hint("start pichroot where `ulimit -f` says unlimited"))
}
