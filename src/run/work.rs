//! Work on an image that is not opened, in a stage of its own.

use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
};

use super::signals::{Signals, interrupted};
use crate::{
    disk::{contents, layout},
    error::{Context, Error, Kind, Result},
    event::Report,
    stage::{
        handle::Handle,
        protocol::{Event, Looked, Order, Read, Reading, Work},
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

/// As [`run`], with an archive for the work, or from it.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    image: &File,
    name: &str,
    work: (Work, Option<OwnedFd>),
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<Option<u64>> {
    match to_its_end(image, name, work, signals, report).await? {
        Event::Done { size } => Ok(size),
        other => Err(out_of_step(&other)),
    }
}

/// What `image` is, which the user calls `name`; `layout` is what the user says of where its partitions belong.
///
/// # Errors
/// As [`run`].
pub async fn look(
    image: &File,
    name: &str,
    layout: Option<layout::Given>,
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<Looked> {
    let size = image
        .metadata()
        .context(Kind::Image, || format!("cannot read {name}"))?
        .len();
    let read = Read {
        volumes: contents::read(image, size, name)?,
        layout,
        what: Reading::Look,
    };
    match to_its_end(image, name, (Work::Read(read), None), signals, report).await? {
        Event::Looked(looked) => Ok(looked),
        other => Err(out_of_step(&other)),
    }
}

fn out_of_step(event: &Event) -> Error {
    Error::other(format!("the stage is out of step: {event:?}"))
}

/// What the stage says at the end of `work`.
async fn to_its_end(
    image: &File,
    name: &str,
    (work, archive): (Work, Option<OwnedFd>),
    signals: &mut Signals,
    report: &dyn Report,
) -> Result<Event> {
    let mut handle = Handle::start(image, None)?;
    let fds: Vec<_> = archive.iter().map(AsRawFd::as_raw_fd).collect();
    handle.order_with(&Order::Work(work), &fds)?;
    // Who is at its other end is to notice when the stage is gone.
    drop(archive);
    loop {
        tokio::select! {
            event = handle.event() => match event.map_err(|error| named(error, name))? {
                Event::Told(event) => report.tell(event),
                last => return Ok(last),
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
