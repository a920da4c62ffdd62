//! Running one command: by a zygote, or without a process, where that is the same, else by starting it.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::net::UnixStream;

use super::{
    living::server::Living,
    plan::Report,
    processes,
    protocol::{Ask, Exec, Reply, Request},
    shell_lines,
    target::machine::Target,
    zygote::{Running, Zygotes},
};
use crate::{
    error::Result,
    sys::{
        children::{Children, Ending},
        frame::{self, Incoming},
        process, terminal,
    },
};

/// Shells that read no files of their own before a command.
const SHELLS: [&str; 6] = [
    "/bin/sh",
    "/bin/bash",
    "/bin/dash",
    "/usr/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/dash",
];

/// How long a command whose client went away has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// The most processes left behind that are named.
const MAX_LEFT: usize = 20;

/// Reaches the stage.
pub type Tell = Box<dyn Fn(&Report) -> Result<()> + Send + Sync>;

/// What all clients share.
pub struct Chroot {
    /// Of every command.
    environment: Vec<(String, String)>,
    children: Children,
    used: AtomicBool,
    tell: Tell,
    /// The machine that this image becomes, if its programs are answered.
    pub living: Option<Living>,
    /// For the modules of Ansible's.
    pub zygotes: Arc<Zygotes>,
    /// The machine that the image becomes.
    pub target: Arc<Target>,
}

impl Chroot {
    /// With these for every command.
    pub fn new(
        environment: Vec<(String, String)>,
        children: Children,
        (living, target): (Option<Living>, Target),
        tell: Tell,
    ) -> Self {
        let zygotes = Zygotes::new(environment.clone(), children.clone());
        Chroot {
            environment,
            children,
            used: AtomicBool::new(false),
            tell,
            living,
            zygotes: Arc::new(zygotes),
            target: Arc::new(target),
        }
    }

    /// What is still running of a command that has ended, by name. What it has put into the background stays its task's.
    fn left_of(&self, session: Pid) -> Vec<String> {
        let all = processes::all();
        if let Some(living) = &self.living {
            let there: Vec<_> = all.iter().map(|one| one.session).collect();
            living.task_ended(session.as_raw(), &there);
        }
        let left = all
            .into_iter()
            .filter(|one| one.session == session.as_raw());
        left.map(|one| one.name).take(MAX_LEFT).collect()
    }

    /// Tells the stage. If it is gone, so are we.
    pub fn tell(&self, report: &Report) {
        let _ = (self.tell)(report);
    }
}

/// Runs a command until it ends, or its client does (then there is no reply).
pub async fn run(
    chroot: &Arc<Chroot>,
    exec: Exec,
    streams: Vec<OwnedFd>,
    client: &UnixStream,
    incoming: &mut Incoming,
) -> io::Result<Option<Reply>> {
    if !chroot.used.swap(true, Ordering::Relaxed) {
        chroot.tell(&Report::Used);
    }
    if let Some(living) = &chroot.living {
        living.task_begins(exec.task.as_deref());
    }
    let program = exec.argv.first().cloned().unwrap_or_default();
    let started = match begin(chroot, exec, streams, client).await {
        Ok(Begun::Done(code)) => return Ok(Some(ended(Ending::Code(code), Vec::new()))),
        Ok(Begun::Running(running)) => running,
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => 127,
                _ => 126,
            };
            let why = format!("cannot run {program}: {error}");
            return Ok(Some(Reply::Refused { code, why }));
        }
    };
    let (pid, mut ending) = started;
    if let Some(living) = &chroot.living {
        living.task_runs(pid.as_raw());
    }
    let connected = tokio::select! {
        ended_by_itself = &mut ending => {
            let how = ended_by_itself.map_err(io::Error::other)?;
            let left = chroot.left_of(pid);
            if !left.is_empty() {
                chroot.tell(&Report::Left(left.clone()));
            }
            return Ok(Some(ended(how, left)));
        }
        connected = cancelled(client, incoming) => connected,
    };
    // The group may have ended meanwhile.
    let _ = killpg(pid, Signal::SIGTERM);
    let how = match tokio::time::timeout(GRACE, &mut ending).await {
        Ok(how) => how,
        Err(_) => {
            let _ = killpg(pid, Signal::SIGKILL);
            ending.await
        }
    };
    let how = how.map_err(io::Error::other)?;
    Ok(connected.then(|| ended(how, chroot.left_of(pid))))
}

fn ended(how: Ending, left: Vec<String>) -> Reply {
    Reply::Ended { how, left }
}

enum Begun {
    /// Nothing had to be started for it; its exit code.
    Done(i32),
    Running(Running),
}

async fn begin(
    chroot: &Arc<Chroot>,
    exec: Exec,
    streams: Vec<OwnedFd>,
    client: &UnixStream,
) -> io::Result<Begun> {
    if let ([shell, dash_c, line], None, 3) = (&exec.argv[..], exec.terminal, streams.len())
        && SHELLS.contains(&shell.as_str())
        && dash_c == "-c"
    {
        if let Some(line) = shell_lines::recognise(line) {
            let stdout = streams[1].try_clone()?;
            let done = tokio::task::spawn_blocking(move || line.run(stdout.into()));
            // Where it fails, a shell says why, in its words.
            if let Some(code) = done.await.map_err(io::Error::other)? {
                return Ok(Begun::Done(code));
            }
        }
        if let Some(running) = chroot.zygotes.run(line, &streams).await {
            return Ok(Begun::Running(running));
        }
    }
    let pid = start(chroot, exec, streams, client)?;
    Ok(Begun::Running((pid, chroot.children.ending_of(pid))))
}

/// Starts the command in a session of its own, whose process group can be ended as one.
fn start(chroot: &Chroot, exec: Exec, fds: Vec<OwnedFd>, client: &UnixStream) -> io::Result<Pid> {
    let mut argv = exec.argv.into_iter();
    let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(argv)
        .env_clear()
        .envs(chroot.environment.iter().map(|(key, value)| (key, value)))
        .current_dir("/");
    let streams = match exec.terminal {
        Some(size) => {
            let (ours, theirs) = terminal::pair(size)?;
            let streams = vec![theirs.try_clone()?, theirs.try_clone()?, theirs];
            frame::send(client, &Reply::Terminal {}, &[ours.as_raw_fd()])?;
            streams
        }
        None => fds,
    };
    let [stdin, stdout, stderr] =
        <[OwnedFd; 3]>::try_from(streams).map_err(|_| io::ErrorKind::InvalidInput)?;
    command
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr));
    process::in_new_session(&mut command, exec.terminal.is_some());
    let child = command.spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// Waits until the client wants its command ended; false if it has gone itself.
async fn cancelled(client: &UnixStream, incoming: &mut Incoming) -> bool {
    loop {
        match frame::receive_async::<Request>(client, incoming).await {
            Ok(Some((request, _))) if matches!(request.ask, Ask::Cancel {}) => return true,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
    }
}
