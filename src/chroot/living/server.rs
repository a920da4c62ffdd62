//! Answering programs: one after another, in the order in which they ask.
//!
//! They are the image's, of any user of it, and may be killed at any time, say anything and take their time: so no one of
//! them is waited for while others could be answered.

use std::{
    fs::File,
    io,
    os::unix::{fs::PermissionsExt, net::UnixListener as StdListener},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use fuser::BackgroundSession;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

use super::{
    call::{Answer, Call},
    first_boot,
    kernel::{Shared, show},
    machine::Machine,
    plan::LivingPlan,
    real::Real,
    request,
    tasks::Tasks,
    tools,
    way::{Followed, Way},
};
use crate::{
    bare::message::{REAL, SOCKET},
    chroot::processes,
    error::{Context, Kind, Result},
    event::FirstBoot,
    sys::children::Children,
};

/// The most that are attended to at once; others wait until they are.
const AT_ONCE: usize = 128;
/// How long one may take to say what it is, which it has ready.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait where no descriptor is free.
const PAUSE: Duration = Duration::from_millis(100);

/// The machine, and who asks it.
#[derive(Debug, Clone)]
pub struct Living {
    /// For one at a time, in order.
    machine: Arc<tokio::sync::Mutex<Machine>>,
    /// The machine's.
    kernel: Shared,
    /// Ansible's tasks, and what they run.
    tasks: Arc<Mutex<Tasks>>,
    way: Followed,
    /// What the first task waits for.
    making: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Living {
    /// The machine that this image becomes, whose programs ask in this way. Its kernel has this release, if it is known.
    pub fn new(plan: LivingPlan, release: Option<&str>, way: Way) -> Self {
        let root = Path::new("/");
        let kernel = Shared::boot(root, release);
        let machine = Machine::with_kernel(root, plan.first_boot, kernel.clone());
        Living {
            kernel,
            machine: Arc::new(tokio::sync::Mutex::new(machine)),
            tasks: Arc::default(),
            way: Followed::new(way),
            making: Arc::default(),
        }
    }

    /// Tasks find what this thread makes.
    pub fn wait_for(&self, making: JoinHandle<()>) {
        *self.making() = Some(making);
    }

    /// Shows programs the machine's kernel, with this open device, for as long as what is returned is kept.
    ///
    /// # Errors
    /// When this host does not allow that.
    pub fn show_kernel(&self, device: File) -> Result<BackgroundSession> {
        let tasks = self.tasks.clone();
        let task_of = move |pid| {
            let session = processes::of(pid as i32).map(|process| process.session);
            tasks.lock().expect("no panic while locked").of(session)
        };
        show::show(&self.kernel, device, Box::new(task_of))
    }

    /// The machine is a board, and tells its devices.
    pub fn has_device_tree(&self) {
        self.kernel.lock().lacking.add_device_tree();
    }

    /// A task is about to have something run.
    pub fn task_begins(&self, name: Option<&str>) {
        if let Some(making) = self.making().take() {
            // What it has not made by then, a program misses and says so.
            let _ = making.join();
        }
        self.tasks().begin(name);
        self.way.update();
    }

    /// What it has run is the leader of this session.
    pub fn task_runs(&self, session: i32) {
        self.tasks().started(session);
    }

    /// That has ended, and these sessions are there.
    pub fn task_ended(&self, session: i32, there: &[i32]) {
        self.tasks().ended(session, there);
    }

    fn making(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.making.lock().expect("no panic while locked")
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().expect("no panic while locked")
    }

    /// Puts into the image what its first boot is to do, and returns all that was put off until now.
    ///
    /// # Errors
    /// When the image lacks something of it then.
    pub async fn finish(&self) -> Result<FirstBoot> {
        let mut machine = self.machine.clone().lock_owned().await;
        let finished = tokio::task::spawn_blocking(move || first_boot::finish(&mut machine));
        finished.await.context(Kind::Other, || {
            "what was put off to the first boot is lost".into()
        })?
    }

    /// Serves `listener` for ever, in the background of the current runtime.
    ///
    /// # Errors
    /// When that cannot be.
    pub fn serve(&self, listener: StdListener, children: Children) -> Result<()> {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| UnixListener::from_std(listener))
            .context(Kind::Host, || "cannot serve the programs' socket".into())?;
        self.way.keep_up();
        let (living, real) = (self.clone(), Real::by(children));
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(AT_ONCE));
            loop {
                let Ok(place) = room.clone().acquire_owned().await else {
                    return;
                };
                let Ok((client, _)) = listener.accept().await else {
                    // Descriptors are short, or the client is gone already.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let (living, real) = (living.clone(), real.clone());
                tokio::spawn(async move {
                    // A program that is gone has nobody to be told about it.
                    let _ = living.attend(client, real).await;
                    drop(place);
                });
            }
        });
        Ok(())
    }

    async fn attend(&self, mut client: UnixStream, real: Real) -> io::Result<()> {
        let asks = client.peer_cred()?;
        let call = request::read(&mut client, (asks.uid(), asks.gid()), real);
        let mut call = tokio::time::timeout(PATIENCE, call).await??;
        loop {
            let name = call.name().to_owned();
            let (answer, asked) = match self.answer(call, &client).await {
                Ok(Some(answered)) => answered,
                Ok(None) => return Ok(()),
                Err(panic) => {
                    let text = format!("pichroot: no answer to {name}, which is a bug: {panic}\n");
                    return request::reply(&mut client, &Answer::fails(1, text), &[]).await;
                }
            };
            let input = asked.stdin.as_deref().unwrap_or_default();
            request::reply(&mut client, &answer, input).await?;
            if answer != Answer::NeedsInput {
                return Ok(());
            }
            call = asked;
            call.stdin = request::read_input(&mut client).await?;
            if call.stdin.is_none() {
                let text = format!("pichroot: {name}: too much on its standard input\n");
                return request::reply(&mut client, &Answer::fails(1, text), &[]).await;
            }
        }
    }

    /// The answer, and the call again; none if the client is gone before it is its turn.
    async fn answer(&self, call: Call, client: &UnixStream) -> io::Result<Option<(Answer, Call)>> {
        let Some(tool) = tools::find(call.name()) else {
            return Ok(Some((Answer::Pass, call)));
        };
        // What we run for a tool, while that has the machine.
        if call.environment.iter().any(|(name, _)| name == REAL) {
            return Ok(Some((Answer::Pass, call)));
        }
        let pid = client.peer_cred()?.pid();
        if pid.is_some_and(processes::is_elsewhere) {
            return Ok(Some((Answer::Pass, call)));
        }
        let mut machine = tokio::select! {
            machine = self.machine.clone().lock_owned() => machine,
            _ = gone(client) => return Ok(None),
        };
        let session = pid.and_then(processes::of).map(|process| process.session);
        let task = self.tasks().of(session);
        let answered = tokio::task::spawn_blocking(move || {
            // What was written below /proc/sys was asked for before this.
            machine.note_written();
            machine.record.task = task;
            let answer = match (tool(&call, &mut machine), &call.stdin) {
                // It has had it.
                (Answer::NeedsInput, Some(_)) => Answer::Pass,
                (answer, _) => answer,
            };
            (answer, call)
        });
        answered.await.map(Some).map_err(io::Error::other)
    }
}

/// Waits until a client that has nothing more to say is gone.
async fn gone(client: &UnixStream) {
    loop {
        if client.readable().await.is_err() {
            return;
        }
        match client.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

/// The socket that programs of every user find.
///
/// # Errors
/// When it cannot be made in the chroot's /run.
pub fn socket() -> Result<StdListener> {
    let name = SOCKET.split(|b| *b == 0).next().unwrap_or_default();
    let path = std::str::from_utf8(name).unwrap_or_default();
    let failed = || format!("cannot make {path} in the chroot");
    let listener = StdListener::bind(path).context(Kind::Host, failed)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).context(Kind::Host, failed)?;
    Ok(listener)
}
