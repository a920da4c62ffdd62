//! Ansible's modules without the cost of starting them: the image's own Python, started once with
//! Ansible's library in it, forks for each module ([`process`]).
//!
//! An emulated Python takes a second to start a module, most of which it compiles Ansible's
//! library, always the same. What runs in a fork is the wrapper that Ansible sent, with the
//! same results; whatever is not exactly as known ([`command`], [`payload`], [`library`]) is not run here, but
//! as any other command.

mod command;
mod depends;
mod library;
mod payload;
mod process;

use std::{
    collections::HashMap,
    fs::File,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Mutex as Turns;

use self::{command::Start, payload::Payload, process::Zygote};
pub use self::{
    command::{quoted, words},
    process::Running,
};
use crate::{
    chroot::protocol::Warm,
    sys::{children::Children, memory},
};

/// The longest payload that is looked at: with parameters of many megabytes, starting is not what
/// takes the time.
const MAX_PAYLOAD: u64 = 16 << 20;
/// After so many zygotes of one kind that did not start, none is tried any more.
const MAX_FAILURES: u32 = 3;

/// The zygotes of a chroot, by the line that starts them.
#[derive(Debug)]
pub struct Zygotes {
    environment: Vec<(String, String)>,
    children: Children,
    kinds: Turns<HashMap<String, Arc<Zygote>>>,
    failures: Mutex<HashMap<String, u32>>,
    /// A library for each new one, as long as it may be the one that modules come with.
    warm: Mutex<Option<Arc<(Warm, File)>>>,
    /// Whether any module has run in one.
    suited: AtomicBool,
}

impl Zygotes {
    /// None yet. They will have this environment.
    pub fn new(environment: Vec<(String, String)>, children: Children) -> Self {
        Zygotes {
            environment,
            children,
            kinds: Turns::default(),
            failures: Mutex::default(),
            warm: Mutex::default(),
            suited: AtomicBool::new(false),
        }
    }

    /// Runs a shell line with these streams as a module, if it is one; `None`: it is not, or not one
    /// for a zygote, and nothing has been run.
    pub async fn run(self: &Arc<Self>, line: &str, streams: &[OwnedFd]) -> Option<Running> {
        let start = Start::recognise(line)?;
        let [stdin, outputs @ ..] = streams else {
            return None;
        };
        if !memory::is_sealed(stdin) {
            return None;
        }
        let text = memory::content(&File::from(stdin.try_clone().ok()?), MAX_PAYLOAD).ok()?;
        let payload = Payload::recognise(text)?;
        let mut zygote = self.zygote(&start).await?;
        if !zygote.suits(&payload).await {
            // A module with a library of its own, or all of them with another than was given first.
            if self.suited.load(Ordering::Relaxed) {
                return None;
            }
            self.warm.lock().expect("no panic while locked").take()?;
            self.reset().await;
            zygote = self.zygote(&start).await?;
        }
        let running = zygote.run(&payload, &start, outputs).await?;
        self.suited.store(true, Ordering::Relaxed);
        tokio::spawn(async move { zygote.learn(&payload).await });
        Some(running)
    }

    /// Starts one and has it import a library, of which `file` has the texts.
    pub async fn warm(self: &Arc<Self>, warm: Warm, file: File) {
        let start = Start::recognise(&quoted(&warm.interpreter));
        *self.warm.lock().expect("no panic while locked") = Some(Arc::new((warm, file)));
        if let Some(start) = start {
            self.zygote(&start).await;
        }
    }

    /// Ends them all; modules that run go on.
    pub async fn reset(&self) {
        self.kinds.lock().await.clear();
        self.failures.lock().expect("no panic while locked").clear();
    }

    /// The zygote of a kind, started if there is none or the image's Python has changed.
    async fn zygote(self: &Arc<Self>, start: &Start) -> Option<Arc<Zygote>> {
        let mut kinds = self.kinds.lock().await;
        if let Some(zygote) = kinds.get(&start.line)
            && zygote.is_fresh(start)
        {
            return Some(zygote.clone());
        }
        kinds.remove(&start.line);
        let failures = |change: u32| {
            let mut failures = self.failures.lock().expect("no panic while locked");
            let failures = failures.entry(start.line.clone()).or_default();
            *failures += change;
            *failures
        };
        if failures(0) >= MAX_FAILURES {
            return None;
        }
        let Ok(zygote) = Zygote::start(start, &self.environment, &self.children).await else {
            failures(1);
            return None;
        };
        let zygote = Arc::new(zygote);
        kinds.insert(start.line.clone(), zygote.clone());
        let warm = self.warm.lock().expect("no panic while locked").clone();
        if let Some(warm) = warm {
            let zygote = zygote.clone();
            tokio::spawn(async move { zygote.warm(&warm.0, &warm.1).await });
        }
        Some(zygote)
    }
}
