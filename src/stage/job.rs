//! The job of a stage: ansible-playbook, or a client of the executor, and its end.

use std::{io::IsTerminal, path::Path, process::Command, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    protocol::{FILES, Job},
    warm,
};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::children::{Children, Ending},
};

/// How long a job that was asked to stop may take before it is killed: Ansible lets the running
/// task end and prints a recap.
const GRACE: Duration = Duration::from_secs(10);

/// How long it may take to end by the terminal's own SIGINT, before it gets one from us: somebody may
/// have sent it to pichroot alone.
const AFTER_CTRL_C: Duration = Duration::from_secs(3);

/// A running job.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    ending: oneshot::Receiver<Ending>,
    /// The signal it is to have when the deadline comes.
    next: Signal,
    /// When it has that, once it was asked to stop.
    deadline: Option<Instant>,
}

impl Running {
    /// Writes the job's files below `dir` and starts it, with our own standard streams.
    pub fn start(job: &Job, dir: &Path, children: &Children) -> Result<Self> {
        job.files.write(&dir.join(FILES))?;
        if let Some(library) = &job.library {
            warm::start(library.clone(), dir);
        }
        let (program, args) = job
            .argv
            .split_first()
            .ok_or_else(|| Error::usage("there is no command to run"))?;
        let child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(job.environment.iter().map(|(key, value)| (key, value)))
            .spawn()
            .context(Kind::Host, || format!("cannot run {program}"))?;
        let pid = Pid::from_raw(child.id() as i32);
        Ok(Running {
            pid,
            ending: children.ending_of(pid),
            next: Signal::SIGKILL,
            deadline: None,
        })
    }

    /// Asks it to end, and kills it when it does not within [`GRACE`], or at once the second time.
    ///
    /// On Ctrl-C it has had its SIGINT from the terminal, as we are in the terminal's foreground
    /// together, and another one makes Ansible drop everything: so that one comes only if it goes on.
    pub fn stop(&mut self, signal: Signal) {
        let asked_before = self.deadline.is_some();
        if asked_before {
            self.send(Signal::SIGKILL);
        } else if signal == Signal::SIGINT && std::io::stdin().is_terminal() {
            self.next = signal;
            self.deadline = Some(Instant::now() + AFTER_CTRL_C);
            return;
        } else {
            self.send(signal);
        }
        self.next = Signal::SIGKILL;
        self.deadline = Some(Instant::now() + GRACE);
    }

    /// Waits for its end. Can be cancelled.
    pub async fn ended(&mut self) -> Result<Ending> {
        loop {
            tokio::select! {
                ended = &mut self.ending => {
                    return ended.map_err(|_| Error::other("the job's end was lost"));
                }
                () = until(self.deadline) => {
                    self.send(self.next);
                    let more = self.next != Signal::SIGKILL;
                    self.next = Signal::SIGKILL;
                    self.deadline = more.then(|| Instant::now() + GRACE);
                }
            }
        }
    }

    fn send(&self, signal: Signal) {
        // ESRCH: it has ended meanwhile.
        let _ = kill(self.pid, signal);
    }
}

/// Waits until `deadline`; without one, for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
