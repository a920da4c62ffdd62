//! The job of a stage: ansible-playbook, or a client of the executor, and its end.

use std::{io::IsTerminal, path::Path, process::Command, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::oneshot;

use super::protocol::{FILES, Job};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::children::{Children, Ending},
};

/// How long a job that was asked to stop may take before it is killed: Ansible lets the running
/// task end and prints a recap.
pub const GRACE: Duration = Duration::from_secs(10);

/// A running job.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    /// How it ended, once it has.
    pub ending: oneshot::Receiver<Ending>,
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
        })
    }

    /// Asks it to end. On Ctrl-C it has had its SIGINT from the terminal, as we are in the
    /// terminal's foreground together; a second one would make Ansible drop everything.
    pub fn stop(&self, signal: Signal) {
        if signal != Signal::SIGINT || !std::io::stdin().is_terminal() {
            let _ = kill(self.pid, signal);
        }
    }

    /// Ends it now.
    pub fn kill(&self) {
        let _ = kill(self.pid, Signal::SIGKILL);
    }
}
