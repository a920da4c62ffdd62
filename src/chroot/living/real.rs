//! Running programs of the image for those that wait for an answer.

use std::{
    fmt, io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, runtime::Handle, sync::oneshot};

use crate::sys::{
    children::{Children, Ending},
    process,
};

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The most that it may say on each of its outputs, in bytes.
const MOST: u64 = 4 << 20;

/// Where programs are started: by the executor's server, which reaps them. In unit tests, by themselves.
#[derive(Clone, Default)]
pub struct Real(Option<(Handle, Children)>);

impl fmt::Debug for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Real")
    }
}

impl Real {
    /// By the current runtime, whose only reaper are these.
    pub fn by(children: Children) -> Self {
        Real(Some((Handle::current(), children)))
    }

    /// Runs `command` as this user and without input. Not to be called in the runtime itself.
    pub fn run(&self, mut command: Command, user: u32, group: u32) -> io::Result<Output> {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let Some((runtime, children)) = &self.0 else {
            return command.output();
        };
        if user != 0 {
            command.uid(user).gid(group);
        }
        process::in_new_session(&mut command, false);
        let children = children.clone();
        // In the runtime's own thread, so that it cannot be reaped before it is known.
        let running = runtime.spawn(async move { attend(command, &children).await });
        runtime.block_on(running).map_err(io::Error::other)?
    }
}

async fn attend(mut command: Command, children: &Children) -> io::Result<Output> {
    let child = command.spawn()?;
    let pid = Pid::from_raw(child.id() as i32);
    let ending = children.ending_of(pid);
    let done = tokio::time::timeout(LIMIT, output(child, ending)).await;
    let done = done.unwrap_or_else(|late| Err(late.into()));
    if done.is_err() {
        // It may have ended by itself.
        let _ = killpg(pid, Signal::SIGKILL);
    }
    done
}

async fn output(child: Child, ending: oneshot::Receiver<Ending>) -> io::Result<Output> {
    let (out, err) = (
        child.stdout.map(OwnedFd::from),
        child.stderr.map(OwnedFd::from),
    );
    let (stdout, stderr) = tokio::try_join!(all_of(out), all_of(err))?;
    let status = ExitStatus::from_raw(match ending.await.map_err(io::Error::other)? {
        Ending::Code(code) => code << 8,
        Ending::Signal(number) => number,
    });
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

async fn all_of(pipe: Option<OwnedFd>) -> io::Result<Vec<u8>> {
    let pipe = pipe.ok_or(io::ErrorKind::InvalidInput)?;
    let mut said = Vec::new();
    let mut pipe = Receiver::from_owned_fd(pipe)?.take(MOST + 1);
    match pipe.read_to_end(&mut said).await? as u64 > MOST {
        true => Err(io::Error::other("it says too much")),
        false => Ok(said),
    }
}
