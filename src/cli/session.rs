//! One image, from opened to closed: what `ansible`, `exec` and `shell` have in common.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
};

use super::signals::{Signals, interrupted};
use crate::{
    chroot::{
        client,
        plan::Network,
        shortcuts::{Shortcuts, initramfs::Outstanding},
    },
    disk::{self, Slice, Volume},
    emulation::Mode,
    error::{Context, Error, Kind, Result},
    image::Cache,
    report::Report,
    stage::{
        directory::Directory,
        facts::Facts,
        handle::{Handle, Output},
        protocol::{Event, Job, Order, StagePlan},
    },
    sys::{children::Ending, private_files::PrivateFiles},
    twins::place::{TwinSettings, starts::Starts},
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
    /// Starts a stage for `image`, which the user calls `name`.
    pub fn start(
        image: &File,
        name: &str,
        directory: Directory,
        signals: Signals,
        output: Option<&Output>,
        report: &'a dyn Report,
    ) -> Result<Self> {
        Ok(Session {
            handle: Handle::start(image, output)?,
            signals,
            report,
            name: name.to_owned(),
            _directory: directory,
        })
    }

    /// Mounts the image as `plan` says and makes its programs run.
    pub async fn open(&mut self, plan: StagePlan) -> Result<Facts> {
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
        if self.handle.order(&Order::Close).is_ok() {
            while !matches!(self.event().await, Ok(Event::Closed { .. }) | Err(_)) {}
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

    /// What programs of the image have put off until now.
    pub async fn outstanding(&mut self) -> Result<Vec<Outstanding>> {
        self.handle.order(&Order::Outstanding)?;
        match self.event().await? {
            Event::Outstanding(outstanding) => outstanding.map_err(|e| self.named(e.into())),
            other => Err(out_of_step(&other)),
        }
    }

    /// Unmounts, and checks the file systems; whether any program was run in the image, and how.
    pub async fn close(mut self) -> Result<(bool, Starts)> {
        self.handle.order(&Order::Close)?;
        match self.event().await? {
            Event::Closed { used, starts } => Ok((used, starts)),
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

/// The CPU that the user wants qemu to be, by qemu's own variable.
pub fn cpu() -> Option<String> {
    std::env::var("QEMU_CPU").ok().filter(|cpu| !cpu.is_empty())
}

/// Where twins come from; `None` if `emulation` is without.
pub fn twins(emulation: Mode, network: Network, cache: &Path) -> Option<TwinSettings> {
    let proxies = [
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "no_proxy",
        "all_proxy",
    ];
    let proxy = |name: &str| proxies.contains(&name.to_ascii_lowercase().as_str());
    let path = std::env::var("PATH").map(|path| ("PATH".to_owned(), path));
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| proxy(name));
    matches!(emulation, Mode::Auto | Mode::Twin).then(|| TwinSettings {
        cache: cache.join("twins"),
        // Who wants no network means all of the run.
        fetch: network == Network::Host,
        environment: environment.chain(path).collect(),
    })
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

/// Where packages are kept for several runs, if they are.
///
/// Not without a network. And where this machine has a proxy, only that one reaches the servers,
/// and the image knows it from its own configuration or the playbook: then apt is left alone.
pub fn packages(shortcuts: Shortcuts, network: Network, report: &dyn Report) -> Option<PathBuf> {
    if network == Network::None || !shortcuts.packages {
        return None;
    }
    if env::var_os("http_proxy").is_some_and(|proxy| !proxy.is_empty()) {
        report.detail("the shortcut packages is not taken: this machine has an http_proxy");
        return None;
    }
    Some(Cache::default_dir().ok()?.join("packages"))
}

fn out_of_step(event: &Event) -> Error {
    Error::other(format!("the stage is out of step: {event:?}"))
}
