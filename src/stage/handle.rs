//! The supervisor's side of a stage.

use std::{
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream as StdStream,
    },
};

use nix::{sched::CloneFlags, sys::wait::waitpid, unistd::Pid};
use tokio::net::UnixStream;

use super::{
    process::{CONTROL, IMAGE, NAME},
    protocol::{Event, Order},
};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::{
        frame,
        process::{self, Program, own_executable},
    },
};

/// A running stage. Dropping it kills the stage, and the kernel undoes all that it did.
#[derive(Debug)]
pub struct Handle {
    pid: Pid,
    control: UnixStream,
    incoming: frame::Incoming,
}

/// Where a stage's output goes, in place of our own standard output and error.
#[derive(Debug)]
pub struct Output {
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

impl Handle {
    /// Starts a stage for `image`. Must be called on the main thread: the stage ends with the
    /// thread that started it.
    pub fn start(image: &File, output: Option<&Output>) -> Result<Self> {
        let failed = || "cannot talk to the stage".to_owned();
        let (ours, theirs) = StdStream::pair().context(Kind::Host, failed)?;
        let mut fds = vec![(theirs.as_raw_fd(), CONTROL), (image.as_raw_fd(), IMAGE)];
        if let Some(output) = output {
            fds.extend([
                (output.stdout.as_raw_fd(), 1),
                (output.stderr.as_raw_fd(), 2),
            ]);
        }
        let pid = process::spawn(&Program {
            executable: &own_executable()?,
            name: NAME,
            fds: &fds,
            namespaces: CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC,
            outlives_us: false,
            confined: false,
        })
        .map_err(|e| e.hint("pichroot needs root and, in a container, the right to mount"))?;
        ours.set_nonblocking(true).context(Kind::Host, failed)?;
        let control = UnixStream::from_std(ours).context(Kind::Host, failed)?;
        Ok(Handle {
            pid,
            control,
            incoming: frame::Incoming::default(),
        })
    }

    /// Sends an order.
    pub fn order(&self, order: &Order) -> Result<()> {
        self.order_with(order, &[])
    }

    /// Sends an order, with open descriptors.
    pub fn order_with(&self, order: &Order, fds: &[RawFd]) -> Result<()> {
        frame::send(&self.control, order, fds).map_err(|_| lost())
    }

    /// The next event; a failure of the stage is an error. Can be cancelled.
    pub async fn event(&mut self) -> Result<Event> {
        match frame::receive_async(&self.control, &mut self.incoming).await {
            Ok(Some((Event::Failed(failure), _))) => Err(failure.into()),
            Ok(Some((event, _))) => Ok(event),
            Ok(None) | Err(_) => Err(lost()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // After an ordered end it is a zombie by now; otherwise this is what ends it.
        let _ = nix::sys::signal::kill(self.pid, nix::sys::signal::Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

fn lost() -> Error {
    Error::other("the stage was killed; the kernel has undone its mounts")
        .hint("did the host run out of memory? see the kernel's log, `dmesg`")
}
