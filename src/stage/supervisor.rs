//! The stage's end of the socket to the supervisor.

use std::os::unix::net::UnixStream;

use super::protocol::Event;
use crate::{
    error::{Context, Kind, Result},
    event,
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
            Said::Told(event) => self.tell(&Event::Told(event)),
            Said::Settled(_) => Ok(()),
        }
    }

    pub(super) fn report(&self, events: impl IntoIterator<Item = event::Event>) -> Result<()> {
        events
            .into_iter()
            .try_for_each(|event| self.tell(&Event::Told(event)))
    }
}
