//! One image, from opened to closed: what `ansible`, `exec` and `shell` have in common.

use std::{fs::File, path::Path};

use super::signals::{Signals, interrupted};
use crate::{
    disk::{self, Slice, Volume},
    error::{Context, Error, Kind, Result},
    report::Report,
    stage::{
        directory::Directory,
        facts::Facts,
        handle::{Handle, Output},
        protocol::{Event, Job, Order, StagePlan},
    },
    sys::children::Ending,
};

/// An image in a running stage.
pub struct Session<'a> {
    handle: Handle,
    signals: Signals,
    report: &'a dyn Report,
    /// What the user calls the image.
    name: String,
    /// Removed after the stage is gone: fields are dropped in this order.
    _directory: Directory,
}

impl<'a> Session<'a> {
    /// Mounts `image`, which the user calls `name`, as `plan` says and makes its programs run.
    pub async fn open(
        image: &File,
        name: &str,
        directory: Directory,
        plan: StagePlan,
        signals: Signals,
        output: Option<&Output>,
        report: &'a dyn Report,
    ) -> Result<(Self, Facts)> {
        let handle = Handle::start(image, output)?;
        let mut session = Session {
            handle,
            signals,
            report,
            name: name.to_owned(),
            _directory: directory,
        };
        session.handle.order(&Order::Open(Box::new(plan)))?;
        match session.event().await? {
            Event::Ready(facts) => Ok((session, facts)),
            other => Err(out_of_step(&other)),
        }
    }

    /// Runs `job` to its end. A signal to us ends it, and is the error.
    pub async fn run(&mut self, job: Job) -> Result<Ending> {
        self.handle.order(&Order::Run(job))?;
        let mut stopped = None;
        loop {
            tokio::select! {
                event = self.handle.event() => match self.pass_on(event?) {
                    None => {}
                    Some(Event::Ended(_)) if stopped.is_some() => {
                        return Err(stopped.expect("checked"));
                    }
                    Some(Event::Ended(ending)) => return Ok(ending),
                    Some(other) => return Err(out_of_step(&other)),
                },
                number = self.signals.next() => {
                    self.handle.order(&Order::Stop(number as i32))?;
                    stopped = Some(interrupted(number));
                }
            }
        }
    }

    /// Unmounts, and checks the file systems; whether any program was run in the image.
    pub async fn close(mut self) -> Result<bool> {
        self.handle.order(&Order::Close)?;
        match self.event().await? {
            Event::Closed { used } => Ok(used),
            other => Err(out_of_step(&other)),
        }
    }

    /// The next event that is not just to be shown. A signal ends the wait: dropping the session
    /// then kills the stage.
    async fn event(&mut self) -> Result<Event> {
        loop {
            tokio::select! {
                event = self.handle.event() => {
                    let event = event.map_err(|error| self.named(error))?;
                    if let Some(event) = self.pass_on(event) {
                        return Ok(event);
                    }
                }
                number = self.signals.next() => return Err(interrupted(number)),
            }
        }
    }

    /// The stage does not know what the image it got is called.
    fn named(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Image => error.of(&self.name),
            _ => error,
        }
    }

    /// Shows what is only to be shown.
    fn pass_on(&self, event: Event) -> Option<Event> {
        match event {
            Event::Warning(text) => self.report.warning(&text),
            Event::Detail(text) => self.report.detail(&text),
            event => return Some(event),
        }
        None
    }
}

/// The partitions of `image` and what is on them.
pub fn volumes(image: &File, name: &Path) -> Result<Vec<Volume>> {
    let name = name.display().to_string();
    let size = image
        .metadata()
        .context(Kind::Image, || format!("cannot read {name}"))?
        .len();
    let table = disk::read_table(&mut &*image, size, &name)?;
    let probed = |partition: disk::Partition| {
        let mut slice = Slice::new(image, partition.start, partition.size);
        Volume {
            fs: disk::probe(&mut slice),
            partition,
        }
    };
    Ok(table.partitions.into_iter().map(probed).collect())
}

fn out_of_step(event: &Event) -> Error {
    Error::other(format!("the stage is out of step: {event:?}"))
}
