//! Starting the executor from the stage, and writing its id maps.

use std::{
    collections::BTreeSet,
    os::{fd::AsFd, unix::net::UnixStream},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::CloneFlags,
    unistd::Pid,
};

use crate::{
    chroot::{
        executor::{NAME, ORDERS},
        plan::{ChrootPlan, Order, Report},
    },
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::{
        frame,
        process::{self, own_executable, sealed_copy},
    },
};

/// The running executor; it ends with the stage, or when its socket is closed.
#[derive(Debug)]
pub struct Executor {
    /// Its process, as the stage sees it.
    pub pid: Pid,
    orders: UnixStream,
}

impl Executor {
    /// What was run in the chroot until now. To be asked once.
    pub fn use_until_now(&self) -> Use {
        let mut until_now = Use::default();
        let mut incoming = frame::Incoming::default();
        if self.orders.set_nonblocking(true).is_err() {
            return until_now;
        }
        while incoming.fill(&self.orders).is_ok_and(|length| length > 0) {
            while let Ok(Some((report, _))) = incoming.take() {
                match report {
                    Report::Used => until_now.used = true,
                    Report::Left(names) => until_now.left.extend(names),
                    _ => {}
                }
            }
        }
        until_now
    }

    /// Whether it has been killed: that closes its socket, and its process ends when all that it ran has.
    pub fn is_gone(&self) -> bool {
        let mut socket = [PollFd::new(self.orders.as_fd(), PollFlags::empty())];
        poll(&mut socket, PollTimeout::ZERO).is_ok_and(|number| number > 0)
    }
}

/// What programs in the chroot did.
#[derive(Debug, Default)]
pub struct Use {
    /// Whether there were any.
    pub used: bool,
    /// Names of processes that commands left running, whether or not they still do.
    pub left: BTreeSet<String>,
}

/// Starts the executor for `plan` and waits until it serves. Returns its warnings, too.
pub fn start(plan: ChrootPlan) -> Result<(Executor, Vec<Event>)> {
    let (ours, theirs) =
        UnixStream::pair().context(Kind::Host, || "cannot make a socket".into())?;
    // A copy in memory: see sealed_copy.
    let executable = sealed_copy("pichroot", &mut own_executable()?)?;
    let pid = process::spawn_confined(
        &executable,
        NAME,
        (&theirs, ORDERS),
        // The cgroup namespace belongs to the host's user namespace: see confine.
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWCGROUP,
    )?;
    drop(theirs);
    send(&ours, &Order::Prepare(Box::new(plan)))?;
    let mut told = Vec::new();
    loop {
        let gone = || "the executor ended while it was starting".to_owned();
        match frame::receive(&ours)
            .context(Kind::Host, gone)?
            .map(|(report, _)| report)
        {
            Some(Report::NeedsMaps) => {
                process::map_every_id(pid)?;
                send(&ours, &Order::Mapped)?;
            }
            Some(Report::Told(event)) => told.push(event),
            // No client knows of the socket yet.
            Some(Report::Used | Report::Left(_)) => {}
            Some(Report::Ready) => return Ok((Executor { pid, orders: ours }, told)),
            Some(Report::Failed(failure)) => return Err(failure.into()),
            None => return Err(Error::host(gone())),
        }
    }
}

fn send(socket: &UnixStream, order: &Order) -> Result<()> {
    frame::send(socket, order, &[]).context(Kind::Host, || "the executor is gone".into())
}
