//! A client of the executor: runs one command in the chroot with our own streams.
//!
//! This is what Ansible's chroot connection starts in place of chroot(8), and what `exec` and
//! `shell` run. None of our own descriptors is handed in: what root in the chroot holds open it can
//! reopen for writing, and change its mode. See [`streams`].

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, IsTerminal, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    thread,
};

use nix::sys::signal::{SigSet, Signal};

use super::{
    plan::ChrootPlan,
    protocol::{Ask, Exec, Reply},
    streams,
};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::{
        frame,
        terminal::{self, RawMode},
    },
};

/// The name the program is started by, through a link in the stage's directory: the same as the
/// program whose place it takes, with the same arguments.
pub const NAME: &str = "chroot";

/// `chroot DIRECTORY COMMAND...` by the executor; returns the exit code.
pub fn main() -> u8 {
    let args = std::env::args_os().collect::<Vec<_>>();
    let outcome = match &args[..] {
        // The link is in the stage's directory, beside the socket.
        [link, _root, command @ ..] if !command.is_empty() => {
            let dir = Path::new(link).parent().unwrap_or(Path::new("."));
            run(
                &ChrootPlan::socket(dir),
                command.iter().map(|s| s.as_os_str()),
            )
        }
        _ => Err(Error::usage("chroot needs a directory and a command")),
    };
    match outcome {
        Ok(code) => code as u8,
        Err(error) => {
            // The connection plugin shows what is on standard error; 125 is chroot(8)'s own code
            // for a failure of its own.
            let _ = writeln!(io::stderr(), "chroot: {error}");
            125
        }
    }
}

/// Runs `argv` by the executor at `socket`; returns its exit code as a shell would.
pub fn run<'a>(socket: &Path, argv: impl Iterator<Item = &'a OsStr>) -> Result<i32> {
    let gone = || "the executor of this image is gone".to_owned();
    let server = UnixStream::connect(socket).context(Kind::Other, gone)?;
    let argv = argv
        .map(|word| word.to_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Error::usage("the command is not UTF-8"))?;
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    if interactive {
        in_terminal(&server, argv)
    } else {
        with_streams(&server, argv)
    }
    .context(Kind::Other, gone)
}

/// With a terminal of the chroot's own, joined to ours.
fn in_terminal(server: &UnixStream, argv: Vec<String>) -> io::Result<i32> {
    // Blocked before there are threads, so that only the one that waits for it gets it.
    let mut resized = SigSet::empty();
    resized.add(Signal::SIGWINCH);
    resized.thread_block()?;
    let size = terminal::size(&io::stdin())?;
    frame::send(
        server,
        &Ask::Exec(Exec {
            argv,
            terminal: Some(size),
            task: None,
        })
        .request(),
        &[],
    )?;
    let (reply, fds) = answer(server)?;
    let Reply::Terminal {} = reply else {
        return ended(reply);
    };
    let theirs = File::from(fds.into_iter().next().ok_or(io::ErrorKind::InvalidData)?);
    let raw = RawMode::enter(&io::stdin())?;
    let (mut keys, mut screen) = (theirs.try_clone()?, theirs.try_clone()?);
    thread::spawn(move || io::copy(&mut io::stdin(), &mut keys));
    // Ends with an error, EIO, when the last program in the terminal is gone.
    let shown = thread::spawn(move || copy_at_once(&mut screen, &mut io::stdout()));
    thread::spawn(move || {
        while resized.wait().is_ok() {
            if let Ok(size) = terminal::size(&io::stdin()) {
                let _ = terminal::resize(&theirs, size);
            }
        }
    });
    let (reply, _) = answer(server)?;
    // A background job may hold the terminal open; what was said until now is in its buffer.
    wait_briefly(&shown);
    drop(raw);
    ended(reply)
}

/// With pipes of the command's own, joined to our streams.
fn with_streams(server: &UnixStream, argv: Vec<String>) -> io::Result<i32> {
    let stdin = streams::input(io::stdin().as_fd().try_clone_to_owned()?)?;
    let (stdout, shown) = streams::output(io::stdout().as_fd().try_clone_to_owned()?)?;
    let (stderr, told) = streams::output(io::stderr().as_fd().try_clone_to_owned()?)?;
    frame::send(
        server,
        &Ask::Exec(Exec {
            argv,
            terminal: None,
            task: None,
        })
        .request(),
        &[&stdin, &stdout, &stderr].map(AsRawFd::as_raw_fd),
    )?;
    drop((stdin, stdout, stderr));
    let (reply, _) = answer(server)?;
    shown.finish();
    told.finish();
    ended(reply)
}

/// Copies without a buffer that waits for more.
fn copy_at_once(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&chunk[..n]).and_then(|()| to.flush())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits for a copy to end, but not for a daemon that keeps its terminal open.
fn wait_briefly<T>(copy: &thread::JoinHandle<T>) {
    /// Long enough to pass on what a terminal holds.
    const STEPS: u32 = 100;
    for _ in 0..STEPS {
        if copy.is_finished() {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn answer(server: &UnixStream) -> io::Result<(Reply, Vec<OwnedFd>)> {
    frame::receive(server)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn ended(reply: Reply) -> io::Result<i32> {
    match reply {
        Reply::Ended { how, .. } => Ok(how.shell_code()),
        Reply::Refused { code, why } => {
            writeln!(io::stderr(), "chroot: {why}")?;
            Ok(code)
        }
        Reply::Terminal {} | Reply::Done {} | Reply::FirstBoot(_) | Reply::Facts(_) => {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}
