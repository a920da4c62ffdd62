//! Serving commands: one connection, one command; a client that goes away takes its command along.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener as StdListener},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::net::{UnixListener, UnixStream};

use super::plan::Report;
use super::protocol::{Reply, Request, VERSION};
use crate::{
    error::{Context, Kind, Result},
    sys::{children::Children, frame, process, terminal},
};

/// How long a command whose client went away has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `listener` for ever; commands get `environment` and nothing else. Tells `tell` when clients
/// can come, and when the first one has.
pub fn serve(
    listener: StdListener,
    environment: Vec<(String, String)>,
    tell: impl Fn(&Report) -> Result<()>,
) -> Result<()> {
    let failed = || "cannot serve the executor's socket".to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(Kind::Host, failed)?;
    runtime.block_on(async {
        listener.set_nonblocking(true).context(Kind::Host, failed)?;
        let listener = UnixListener::from_std(listener).context(Kind::Host, failed)?;
        let children = Children::reap()?;
        tell(&Report::Ready)?;
        let mut used = false;
        loop {
            let (client, _) = listener.accept().await.context(Kind::Host, failed)?;
            if !std::mem::replace(&mut used, true) {
                tell(&Report::Used)?;
            }
            let (children, environment) = (children.clone(), environment.clone());
            tokio::spawn(async move {
                // A client that breaks off has nobody to be told about it.
                let _ = attend(&client, &children, environment).await;
            });
        }
    })
}

/// One client from its request to the command's end.
async fn attend(
    client: &UnixStream,
    children: &Children,
    environment: Vec<(String, String)>,
) -> io::Result<()> {
    let request = frame::receive_async(client, &mut frame::Incoming::default()).await?;
    let Some((request, fds)): Option<(Request, _)> = request else {
        return Ok(());
    };
    if request.version != VERSION {
        let why = format!(
            "the executor speaks version {VERSION}, the client {}",
            request.version
        );
        return frame::send(client, &Reply::Refused { code: 126, why }, &[]);
    }
    let program = request.argv.first().cloned().unwrap_or_default();
    let pid = match start(client, request, fds, environment) {
        Ok(pid) => pid,
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound {
                127
            } else {
                126
            };
            return frame::send(
                client,
                &Reply::Refused {
                    code,
                    why: format!("cannot run {program}: {error}"),
                },
                &[],
            );
        }
    };
    let mut ending = children.ending_of(pid);
    tokio::select! {
        ended = &mut ending => {
            let ended = ended.map_err(io::Error::other)?;
            frame::send(client, &Reply::Ended(ended), &[])
        }
        () = gone(client) => {
            // The group may have ended meanwhile.
            let _ = killpg(pid, Signal::SIGTERM);
            if tokio::time::timeout(GRACE, ending).await.is_err() {
                let _ = killpg(pid, Signal::SIGKILL);
            }
            Ok(())
        }
    }
}

/// Starts the command in a session of its own, whose process group can be ended as one.
fn start(
    client: &UnixStream,
    request: Request,
    fds: Vec<OwnedFd>,
    environment: Vec<(String, String)>,
) -> io::Result<Pid> {
    let mut argv = request.argv.into_iter();
    let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(argv)
        .env_clear()
        .envs(environment)
        .current_dir("/");
    let mut streams = match request.terminal {
        Some(size) => {
            let (ours, theirs) = terminal::pair(size)?;
            let streams = [theirs.try_clone()?, theirs.try_clone()?, theirs];
            frame::send(
                client,
                &Reply::Terminal,
                &[std::os::fd::AsRawFd::as_raw_fd(&ours)],
            )?;
            streams.into_iter().collect::<Vec<_>>()
        }
        None => fds,
    }
    .into_iter();
    let (Some(stdin), Some(stdout), Some(stderr), None) = (
        streams.next(),
        streams.next(),
        streams.next(),
        streams.next(),
    ) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    command
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr));
    process::in_new_session(&mut command, request.terminal.is_some());
    let child = command.spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// Waits until the client has closed its side, ignoring whatever else it sends.
async fn gone(client: &UnixStream) {
    let mut scratch = [0; 64];
    loop {
        if client.readable().await.is_err() {
            return;
        }
        match client.try_read(&mut scratch) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
