//! A client of the executor: runs one command in the chroot with our own streams.
//!
//! This is what Ansible's chroot connection starts in place of chroot(8), and what `exec` and
//! `shell` run. Of our descriptors only pipes are handed in: a file of the host that root in the
//! chroot holds open could be reopened for writing there, and its mode changed. The rest is copied.

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

use nix::sys::{
    signal::{SigSet, Signal},
    stat::{SFlag, fstat},
};

use super::{
    plan::ChrootPlan,
    protocol::{Reply, Request, VERSION},
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
        &Request {
            version: VERSION,
            argv,
            terminal: Some(size),
        },
        &[],
    )?;
    let (reply, fds) = answer(server)?;
    let Reply::Terminal = reply else {
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

/// With pipes: ours as they are, and copied ones for all else.
fn with_streams(server: &UnixStream, argv: Vec<String>) -> io::Result<i32> {
    let mut copies = Vec::new();
    let streams = [
        input(io::stdin().as_fd().try_clone_to_owned()?)?,
        output(io::stdout().as_fd().try_clone_to_owned()?, &mut copies)?,
        output(io::stderr().as_fd().try_clone_to_owned()?, &mut copies)?,
    ];
    let fds = streams.each_ref().map(AsRawFd::as_raw_fd);
    frame::send(
        server,
        &Request {
            version: VERSION,
            argv,
            terminal: None,
        },
        &fds,
    )?;
    drop(streams);
    let (reply, _) = answer(server)?;
    for copy in &copies {
        wait_briefly(copy);
    }
    ended(reply)
}

/// A descriptor that may be handed in, with what stands on our standard input.
fn input(ours: OwnedFd) -> io::Result<OwnedFd> {
    if is_pipe(&ours) {
        return Ok(ours);
    }
    let (theirs, mut to) = io::pipe()?;
    let mut from = File::from(ours);
    thread::spawn(move || io::copy(&mut from, &mut to));
    Ok(theirs.into())
}

/// A descriptor that may be handed in, and whose content ends in `ours`.
fn output(ours: OwnedFd, copies: &mut Vec<thread::JoinHandle<()>>) -> io::Result<OwnedFd> {
    if is_pipe(&ours) {
        return Ok(ours);
    }
    let (mut from, theirs) = io::pipe()?;
    let mut to = File::from(ours);
    copies.push(thread::spawn(move || {
        // A reader that went away ends the copy; the command then gets SIGPIPE as usual.
        let _ = copy_at_once(&mut from, &mut to);
    }));
    Ok(theirs.into())
}

/// Whether `fd` is a pipe without a name.
fn is_pipe(fd: &OwnedFd) -> bool {
    fstat(fd).is_ok_and(|stat| {
        SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFIFO
    }) && std::fs::read_link(crate::sys::inroot::path_of(fd))
        .is_ok_and(|name| name.to_string_lossy().starts_with("pipe:"))
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

/// Waits for a copy to end, but not for a daemon that keeps its pipe open.
fn wait_briefly<T>(copy: &thread::JoinHandle<T>) {
    /// Long enough to pass on what a full pipe holds.
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
        Reply::Ended(ending) => Ok(ending.shell_code()),
        Reply::Refused { code, why } => {
            writeln!(io::stderr(), "chroot: {why}")?;
            Ok(code)
        }
        Reply::Terminal => Err(io::ErrorKind::InvalidData.into()),
    }
}
