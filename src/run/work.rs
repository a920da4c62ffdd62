//! Work on an image that is not opened, in a stage of its own.

use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
};

use super::signals::{Signals, interrupted};
use crate::{
    disk::{Volume, contents, layout},
    error::{Context, Error, Kind, Result},
    event::Report,
    netboot::Finding,
    stage::{
        handle::Handle,
        protocol::{Checks, Event, Looked, Order, Read, Reading, Work},
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

/// An image that is read and not changed.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// It.
    pub file: &'a File,
    /// What the user calls it.
    pub name: &'a str,
    /// What the user says of where its partitions belong.
    pub layout: Option<&'a layout::Given>,
}

impl Image<'_> {
    /// Its partitions and their file systems.
    ///
    /// # Errors
    /// [`Kind::Image`] when it cannot be read.
    pub fn volumes(self) -> Result<Vec<Volume>> {
        let failed = || format!("cannot read {}", self.name);
        let size = self.file.metadata().context(Kind::Image, failed)?.len();
        contents::read(self.file, size, self.name)
    }

    /// What it is.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn look(self, signals: &mut Signals, report: &dyn Report) -> Result<Looked> {
        match self.read((Reading::Look, None), signals, report).await? {
            Event::Looked(looked) => Ok(looked),
            other => Err(out_of_step(&other)),
        }
    }

    /// What the checks find for a Pi that boots from it over the network.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn check(
        self,
        checks: Checks,
        signals: &mut Signals,
        report: &dyn Report,
    ) -> Result<Vec<Finding>> {
        match self
            .read((Reading::Check(checks), None), signals, report)
            .await?
        {
            Event::Checked(findings) => Ok(findings),
            other => Err(out_of_step(&other)),
        }
    }

    /// Writes an archive of what is wanted of it to `pipe`.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn archive(
        self,
        what: Reading,
        pipe: OwnedFd,
        signals: &mut Signals,
        report: &dyn Report,
    ) -> Result<()> {
        match self.read((what, Some(pipe)), signals, report).await? {
            Event::Done { .. } => Ok(()),
            other => Err(out_of_step(&other)),
        }
    }

    async fn read(
        self,
        (what, pipe): (Reading, Option<OwnedFd>),
        signals: &mut Signals,
        report: &dyn Report,
    ) -> Result<Event> {
        let read = Read {
            volumes: self.volumes()?,
            layout: self.layout.cloned(),
            what,
        };
        to_its_end(
            self.file,
            self.name,
            (Work::Read(read), pipe),
            signals,
            report,
        )
        .await
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
