//! The stage between opening and closing: it waits for orders, for the job and for the executor.

use std::{io::Read, os::fd::OwnedFd, path::Path};

use nix::sys::signal::Signal;
use tokio::net::UnixStream;

use super::{
    executor::Executor,
    fullness::{self, Watch},
    job::Running,
    outstanding,
    protocol::{Event, FILES, Last, MAX_NOTE, NOTE, Order},
    supervisor::Supervisor,
};
use crate::{
    chroot::shortcuts::{Shortcuts, initramfs::Outstanding},
    error::{Context, Error, Kind, Result},
    event,
    sys::{
        children::{Children, Ending},
        frame,
        inroot::Root,
    },
    twins::place::{Said, Twinning},
};

/// Runs jobs until the supervisor says to close. `place` is the stage's directory, and the image. Returns what
/// is wanted of it before it is unmounted, and where an archive goes.
///
/// # Errors
/// When the supervisor or the executor is gone.
pub(super) fn until_close(
    supervisor: &Supervisor,
    place: (&Path, &Root),
    mut watch: Watch,
    shortcuts: Shortcuts,
    executor: &Executor,
    twinning: Option<Twinning>,
) -> Result<(Last, Option<OwnedFd>)> {
    let (dir, root) = place;
    let failed = || "cannot start the stage's runtime".to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(Kind::Host, failed)?;
    runtime.block_on(async {
        let orders = supervisor.0.try_clone().context(Kind::Host, failed)?;
        orders.set_nonblocking(true).context(Kind::Host, failed)?;
        let orders = UnixStream::from_std(orders).context(Kind::Host, failed)?;
        let mut incoming = frame::Incoming::default();
        let mut twinning = twinning.map(Listening::new).transpose().context(Kind::Host, failed)?;
        let children = Children::reap()?;
        let mut executor_end = children.ending_of(executor.pid);
        let mut job: Option<Running> = None;
        let mut looks = tokio::time::interval(fullness::EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = frame::receive_async(&orders, &mut incoming) => {
                    let order = order.context(Kind::Other, || "pichroot itself is gone".into())?;
                    let (order, mut fds) = order.map_or((None, Vec::new()), |(order, fds)| (Some(order), fds));
                    match order {
                        Some(Order::Run(wanted)) => {
                            job = Some(Running::start(&wanted, dir, &children)?);
                        }
                        Some(Order::Stop(number)) => if let Some(job) = &mut job {
                            job.stop(Signal::try_from(number).unwrap_or(Signal::SIGTERM));
                        },
                        Some(Order::Outstanding) => {
                            let outstanding = match shortcuts.initramfs {
                                true => outstanding::ask(dir),
                                false => Ok(Vec::new()),
                            };
                            let outstanding = match outstanding {
                                Ok(all) => Ok(still_wanted(all, root, supervisor)?),
                                Err(error) => Err((&error).into()),
                            };
                            supervisor.tell(&Event::Outstanding(outstanding))?;
                        }
                        Some(Order::FirstBoot) => {
                            let put_off = outstanding::first_boot(dir).map_err(|error| (&error).into());
                            supervisor.tell(&Event::FirstBoot(put_off))?;
                        }
                        Some(Order::Close(last)) => {
                            if outstanding::replaced_modules(dir) {
                                supervisor.report([event::Event::InitramfsModules])?;
                            }
                            outstanding::rights(dir, root);
                            return Ok((last, fds.pop()));
                        }
                        Some(Order::Open(_) | Order::Work(_)) | None => {
                            return Err(Error::other("the stage lost its orders"));
                        }
                    }
                }
                said = next_said(&mut twinning) => match said {
                    Some(said) => supervisor.pass_on(said)?,
                    // It goes on without twins for what is installed from now on.
                    None => twinning = None,
                },
                ended = end_of(&mut job) => {
                    job = None;
                    let ending = ended?;
                    watch.look();
                    if ending != Ending::Code(0) {
                        // Ansible can be quicker than the kernel, which ends all that the executor ran.
                        if executor.is_gone() {
                            return Err(killed());
                        }
                        supervisor.report(watch.little())?;
                    }
                    supervisor.tell(&Event::Ended { ending, note: note(dir) })?;
                }
                _ = looks.tick(), if job.is_some() => watch.look(),
                _ = &mut executor_end => return Err(killed()),
            }
        }
    })
}

fn killed() -> Error {
    Error::other("the executor of the image was killed")
        .hint("did something in the image use up all memory? see the kernel's log")
}

/// What is still to be done in the image; of the rest it is told why not.
fn still_wanted(
    all: Vec<Outstanding>,
    root: &Root,
    supervisor: &Supervisor,
) -> Result<Vec<Outstanding>> {
    let mut wanted = Vec::new();
    for outstanding in all {
        match outstanding.now(root) {
            Ok(outstanding) => wanted.push(outstanding),
            Err(event) => supervisor.report([event])?,
        }
    }
    Ok(wanted)
}

/// The job's note, where it left one.
fn note(dir: &Path) -> Option<String> {
    let path = dir.join(FILES).join(NOTE);
    let mut text = String::new();
    let file = std::fs::File::open(&path).ok()?;
    file.take(MAX_NOTE + 1).read_to_string(&mut text).ok()?;
    // It is of this job alone.
    let _ = std::fs::remove_file(path);
    (text.len() as u64 <= MAX_NOTE).then_some(text)
}

/// The end of the job; without one, waits for ever.
async fn end_of(job: &mut Option<Running>) -> Result<Ending> {
    match job {
        Some(job) => job.ended().await,
        None => std::future::pending().await,
    }
}

/// The search for twins, as a runtime hears it.
struct Listening {
    socket: UnixStream,
    incoming: frame::Incoming,
}

impl Listening {
    fn new(twinning: Twinning) -> std::io::Result<Self> {
        twinning.socket.set_nonblocking(true)?;
        Ok(Listening {
            socket: UnixStream::from_std(twinning.socket)?,
            incoming: frame::Incoming::default(),
        })
    }
}

/// What the search says next, `None` at its end; without one, waits for ever. Can be cancelled.
async fn next_said(twinning: &mut Option<Listening>) -> Option<Said> {
    let Some(Listening { socket, incoming }) = twinning else {
        return std::future::pending().await;
    };
    let said = frame::receive_async(socket, incoming).await.ok().flatten();
    said.map(|(said, _)| said)
}
