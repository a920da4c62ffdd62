//! The stage's end of the socket to the supervisor.

use std::os::unix::net::UnixStream;

use super::protocol::Event;
use crate::{
    error::{Context, Kind, Result},
    sys::frame,
    twins::place::Said,
};

/// The socket to the supervisor.
pub(super) struct Supervisor(pub(super) UnixStream);

impl Supervisor {
    pub(super) fn tell(&self, event: &Event) -> Result<()> {
        frame::send(&self.0, event, &[]).context(Kind::Other, || "pichroot itself is gone".into())
    }

    pub(super) fn pass_on(&self, said: Said) -> Result<()> {
        match said {
            Said::Detail(text) => self.tell(&Event::Detail(text)),
            Said::Warning(text) => self.tell(&Event::Warning(text)),
            Said::Settled(_) => Ok(()),
        }
    }

    pub(super) fn warn(&self, warnings: impl IntoIterator<Item = String>) -> Result<()> {
        warnings
            .into_iter()
            .try_for_each(|text| self.tell(&Event::Warning(text)))
    }
}
