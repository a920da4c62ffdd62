//! Work on an image that is not opened, in a stage of its own.

use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
};

use super::signals::{Signals, interrupted};
use crate::{
    error::{Error, Kind, Result},
    event::Report,
    stage::{
        handle::Handle,
        protocol::{Event, Order, Work},
    },
};

/// Has a stage do `work` on `image`, which the user calls `name`; the size that comes of it, if that is what it is for.
///
/// # Errors
/// As the work has them; also for a signal, which ends it.
pub async fn run(
    image: &File,
    name: &str,
    work: Work,
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<Option<u64>> {
    run_with(image, name, (work, None), signals, report).await
}

/// As [`run`], with an archive for the work.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    image: &File,
    name: &str,
    (work, archive): (Work, Option<OwnedFd>),
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<Option<u64>> {
    let mut handle = Handle::start(image, None)?;
    let fds: Vec<_> = archive.iter().map(AsRawFd::as_raw_fd).collect();
    handle.order_with(&Order::Work(work), &fds)?;
    // Whoever writes it is to notice when the stage is gone.
    drop(archive);
    loop {
        tokio::select! {
            event = handle.event() => match event.map_err(|error| named(error, name))? {
                Event::Told(event) => report.tell(event),
                Event::Done { size } => return Ok(size),
                other => return Err(Error::other(format!("the stage is out of step: {other:?}"))),
            },
            number = signals.next() => return Err(interrupted(number)),
        }
    }
}

fn named(error: Error, name: &str) -> Error {
    match error.kind() {
        Kind::Image => error.of(name),
        _ => error,
    }
}
