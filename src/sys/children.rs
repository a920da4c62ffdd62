//! Waiting for children as PID 1 of a namespace: ours, and the orphans that the kernel gives us.

use std::{
    collections::HashMap,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{Arc, Mutex},
};

use nix::{
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::error::{Context, Kind, Result};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
}

impl Ending {
    /// The exit code a shell would give: 128 and the number for a signal.
    pub fn shell_code(self) -> i32 {
        match self {
            Ending::Code(code) => code,
            Ending::Signal(number) => 128 + number,
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Ending::Code(code),
            None => Ending::Signal(status.signal().unwrap_or_default()),
        }
    }
}

/// The children of this process; reaps every one and tells who asked.
#[derive(Debug, Clone, Default)]
pub struct Children(Arc<Mutex<HashMap<Pid, oneshot::Sender<Ending>>>>);

impl Children {
    /// Starts reaping in the background of the current runtime.
    ///
    /// Nothing else may wait for children then, tokio's and the standard library's `wait` included.
    pub fn reap() -> Result<Self> {
        let children = Children::default();
        let mut arrived = signal(SignalKind::child())
            .context(Kind::Other, || "cannot listen for ended children".into())?;
        let reaper = children.clone();
        tokio::spawn(async move {
            loop {
                reaper.collect();
                if arrived.recv().await.is_none() {
                    return;
                }
            }
        });
        Ok(children)
    }

    /// The end of `pid`, a child that was started without an await since, so that it cannot have
    /// been reaped yet; or a process that becomes our child when its own parent ends.
    pub fn ending_of(&self, pid: Pid) -> oneshot::Receiver<Ending> {
        let (sender, receiver) = oneshot::channel();
        self.0
            .lock()
            .expect("no panic while locked")
            .insert(pid, sender);
        receiver
    }

    /// Tells the end of a process that its own parent has reaped.
    pub fn reaped_elsewhere(&self, pid: Pid, ending: Ending) {
        if let Some(waiter) = self.0.lock().expect("no panic while locked").remove(&pid) {
            // Nobody may be waiting any more.
            let _ = waiter.send(ending);
        }
    }

    fn collect(&self) {
        loop {
            let (pid, ending) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Ending::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Ending::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            self.reaped_elsewhere(pid, ending);
        }
    }
}
