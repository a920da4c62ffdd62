//! The job of a stage: ansible-playbook, or a client of the executor, and its end.

use std::{io::IsTerminal, path::Path, process::Command, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{sync::oneshot, time::Instant};

use super::protocol::{FILES, Job};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::children::{Children, Ending},
};

/// How long a job that was asked to stop may take before it is killed: Ansible lets the running
/// task end and prints a recap.
const GRACE: Duration = Duration::from_secs(10);

/// A running job.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    ending: oneshot::Receiver<Ending>,
    /// When it is killed, once it was asked to stop.
    deadline: Option<Instant>,
}

impl Running {
    /// Writes the job's files below `dir` and starts it, with our own standard streams.
    pub fn start(job: &Job, dir: &Path, children: &Children) -> Result<Self> {
        job.files.write(&dir.join(FILES))?;
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
            deadline: None,
        })
    }

    /// Asks it to end, and kills it when it does not within [`GRACE`], or at once the second time.
    ///
    /// On Ctrl-C it has had its SIGINT from the terminal, as we are in the terminal's foreground
    /// together; another one would make Ansible drop everything.
    pub fn stop(&mut self, signal: Signal) {
        if self.deadline.is_some() {
            self.kill();
        } else if signal != Signal::SIGINT || !std::io::stdin().is_terminal() {
            let _ = kill(self.pid, signal);
        }
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
                    self.kill();
                    self.deadline = None;
                }
            }
        }
    }

    fn kill(&self) {
        // ESRCH: it has ended meanwhile.
        let _ = kill(self.pid, Signal::SIGKILL);
    }
}

/// Waits until `deadline`; without one, for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
