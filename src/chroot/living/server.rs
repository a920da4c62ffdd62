//! Answering programs: one after another, in the order in which they ask.
//!
//! They are the image's, of any user of it, and may be killed at any time, say anything and take their time: so no one of
//! them is waited for while others could be answered.

use std::{
    io,
    os::unix::{fs::PermissionsExt, net::UnixListener as StdListener},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

use super::{
    call::{Answer, Call},
    machine::Machine,
    plan::LivingPlan,
    real::Real,
    record::PutOff,
    request, tools,
};
use crate::{
    bare::message::{REAL, SOCKET},
    error::{Context, Kind, Result},
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
    /// Ansible's task that runs now.
    task: Arc<Mutex<Option<String>>>,
}

impl Living {
    /// The machine that this image becomes.
    pub fn new(plan: LivingPlan) -> Self {
        let machine = Machine::new(Path::new("/"), plan.first_boot);
        Living {
            machine: Arc::new(tokio::sync::Mutex::new(machine)),
            task: Arc::default(),
        }
    }

    /// From now on all that is asked for is of this task.
    pub fn begin_task(&self, name: &str) {
        *self.task.lock().expect("no panic while locked") = Some(name.to_owned());
    }

    /// What was put off until now.
    pub async fn put_off(&self) -> Vec<PutOff> {
        self.machine.lock().await.record.all().to_vec()
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
                    return request::reply(&mut client, &Answer::fails(1, text)).await;
                }
            };
            request::reply(&mut client, &answer).await?;
            if answer != Answer::NeedsInput {
                return Ok(());
            }
            call = asked;
            call.stdin = Some(request::read_input(&mut client).await?);
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
        let mut machine = tokio::select! {
            machine = self.machine.clone().lock_owned() => machine,
            _ = gone(client) => return Ok(None),
        };
        let task = self.task.lock().expect("no panic while locked").clone();
        let answered = tokio::task::spawn_blocking(move || {
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
