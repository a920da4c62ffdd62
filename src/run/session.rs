//! One image, from opened to closed: what `ansible`, `exec` and `shell` have in common.

use std::{
    fs::File,
    io::PipeWriter,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use super::signals::{Signals, interrupted};
use crate::{
    chroot::{client, shortcuts::initramfs::Outstanding},
    disk::{Volume, contents},
    error::{Context, Error, Kind, Result},
    event::{self, FirstBoot, Left, PackageVersion, Report, Starts},
    stage::{
        directory,
        facts::Facts,
        handle::{Handle, Output},
        older,
        protocol::{Event, Job, Last, Order, Settings, StagePlan},
    },
    sys::{children::Ending, private_files::PrivateFiles},
};

/// An image that was closed.
#[derive(Debug, Default)]
pub struct Closed {
    /// Whether any program was run in it.
    pub used: bool,
    /// How its programs were started.
    pub starts: Starts,
    /// Its packages, if they were wanted.
    pub packages: Vec<PackageVersion>,
}

/// An image in a running stage.
pub struct Session<'a> {
    handle: Handle,
    signals: Signals,
    report: &'a dyn Report,
    /// What the user calls the image.
    name: String,
    /// A file system of it that had little room, by its mount point.
    little: Option<(PathBuf, Left)>,
    /// What is on the image, until that is opened.
    volumes: Vec<Volume>,
}

impl<'a> Session<'a> {
    /// Starts a stage for `image`, which the user calls `name`.
    pub fn start(
        image: &File,
        name: &str,
        signals: Signals,
        output: Option<&Output>,
        report: &'a dyn Report,
    ) -> Result<Self> {
        let meta = image.metadata();
        let size = meta
            .context(Kind::Image, || format!("cannot read {name}"))?
            .len();
        let volumes = contents::read(image, size, name)?;
        older::sweep(Path::new(older::PLACE));
        Ok(Session {
            handle: Handle::start(image, output)?,
            signals,
            report,
            name: name.to_owned(),
            little: None,
            volumes,
        })
    }

    /// The stage's directory, as jobs in the stage see it.
    pub fn dir(&self) -> &'static Path {
        directory::path()
    }

    /// Mounts the image as `settings` say and makes its programs run.
    pub async fn open(&mut self, settings: &Settings) -> Result<Facts> {
        let plan = StagePlan {
            volumes: std::mem::take(&mut self.volumes),
            settings: settings.clone(),
        };
        self.handle.order(&Order::Open(Box::new(plan)))?;
        match self.event().await? {
            Event::Ready(facts) => Ok(facts),
            other => Err(out_of_step(&other)),
        }
    }

    /// Has an image that is changed in place put in order when opening it has failed, maybe by a signal. Another
    /// signal ends the wait.
    pub async fn give_up(mut self) {
        // Where the stage is gone it has done that.
        if self.handle.order(&Order::Close(Last::default())).is_ok() {
            while !matches!(self.event().await, Ok(Event::Closed { .. }) | Err(_)) {}
        }
    }

    /// Runs `job` to its end; how that was, and the note that it left. A signal to us ends it, and is the error.
    pub async fn run(&mut self, job: Job) -> Result<(Ending, Option<String>)> {
        self.handle.order(&Order::Run(job))?;
        let mut stopped = None;
        loop {
            tokio::select! {
                event = self.handle.event() => match self.pass_on(event?) {
                    None => {}
                    Some(Event::Ended { .. }) if stopped.is_some() => {
                        return Err(stopped.expect("checked"));
                    }
                    Some(Event::Ended { ending, note }) => return Ok((ending, note)),
                    Some(other) => return Err(out_of_step(&other)),
                },
                number = self.signals.next() => {
                    self.handle.order(&Order::Stop(number as i32))?;
                    stopped = Some(interrupted(number));
                }
            }
        }
    }

    /// A file system of the image that had little room, by its mount point.
    pub fn little(&self) -> Option<(&Path, Left)> {
        self.little.as_ref().map(|(at, left)| (at.as_path(), *left))
    }

    /// What programs of the image have put off until now.
    pub async fn outstanding(&mut self) -> Result<Vec<Outstanding>> {
        self.handle.order(&Order::Outstanding)?;
        match self.event().await? {
            Event::Outstanding(outstanding) => outstanding.map_err(|e| self.named(e.into())),
            other => Err(out_of_step(&other)),
        }
    }

    /// Puts into the image what its first boot is to do; all that was put off.
    pub async fn first_boot(&mut self) -> Result<FirstBoot> {
        self.handle.order(&Order::FirstBoot)?;
        match self.event().await? {
            Event::FirstBoot(put_off) => put_off.map_err(|e| self.named(e.into())),
            other => Err(out_of_step(&other)),
        }
    }

    /// Unmounts, and checks the file systems; whether any program was run in the image, and how.
    pub async fn close(self) -> Result<(bool, Starts)> {
        let closed = self.close_with(Last::default(), None).await?;
        Ok((closed.used, closed.starts))
    }

    /// As [`close`](Self::close), and before that does what is wanted of it; an archive goes to `pipe`.
    pub async fn close_with(mut self, last: Last, pipe: Option<PipeWriter>) -> Result<Closed> {
        let fds: Vec<_> = pipe.iter().map(AsRawFd::as_raw_fd).collect();
        self.handle.order_with(&Order::Close(last), &fds)?;
        // The stage's is the only one now, and its end is that of the archive.
        drop(pipe);
        match self.event().await? {
            Event::Closed {
                used,
                starts,
                packages,
            } => Ok(Closed {
                used,
                starts,
                packages,
            }),
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
    fn pass_on(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Told(event) => {
                if let event::Event::LittleRoom { at, left, .. } = &event {
                    self.little = Some((at.clone(), *left));
                }
                self.report.tell(event);
                None
            }
            event => Some(event),
        }
    }
}

/// The job that runs `command` in the image, from the stage in `dir`. `environment` is that of the client.
pub fn command(
    dir: &Path,
    facts: &Facts,
    command: impl IntoIterator<Item = String>,
    environment: Vec<(String, String)>,
) -> Job {
    let client = dir.join(client::NAME).display().to_string();
    Job {
        argv: [client, facts.root.display().to_string()]
            .into_iter()
            .chain(command)
            .collect(),
        environment,
        files: PrivateFiles::default(),
        library: None,
    }
}

fn out_of_step(event: &Event) -> Error {
    Error::other(format!("the stage is out of step: {event:?}"))
}
