//! Standard streams of a command in the chroot: pipes made for it alone, copied from and to ours.
//!
//! None of our own descriptors is handed in, not even a pipe. Root in the chroot could reopen it
//! through /proc/self/fd in the other direction: write to a standard input that a shell on the host
//! reads its script from (`... | sh`), or read what others write to the same output.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, OwnedFd},
    thread::{self, JoinHandle},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// The most that a pipe holds (the kernel's default for /proc/sys/fs/pipe-max-size).
const MOST_IN_A_PIPE: usize = 1 << 20;

/// A pipe's reading end, to hand in, with what comes from `ours`.
pub fn input(ours: OwnedFd) -> io::Result<OwnedFd> {
    let (theirs, mut to) = io::pipe()?;
    let mut from = File::from(ours);
    // Ends with this process: nobody waits for input that the command did not read.
    thread::spawn(move || io::copy(&mut from, &mut to));
    Ok(theirs.into())
}

/// A pipe's writing end, to hand in, whose content ends in `ours`.
pub fn output(ours: OwnedFd) -> io::Result<(OwnedFd, Output)> {
    let (from, theirs) = io::pipe()?;
    let (stopped, stop) = io::pipe()?;
    let mut to = File::from(ours);
    let copying = thread::spawn(move || {
        // A reader of ours that went away ends the copy; the command then gets SIGPIPE as usual.
        let _ = copy(&from, &stopped, &mut to);
    });
    Ok((theirs.into(), Output { copying, stop }))
}

/// The copying of one output.
#[derive(Debug)]
pub struct Output {
    copying: JoinHandle<()>,
    stop: PipeWriter,
}

impl Output {
    /// Passes on all that the command wrote, however slow our own reader is, but waits for no
    /// daemon that the command left behind with its output open.
    pub fn finish(self) {
        drop(self.stop);
        // A panic there has been reported.
        let _ = self.copying.join();
    }
}

/// Copies at once, until the end of `from` or, after the end of `stopped`, until it is empty.
fn copy(mut from: &PipeReader, stopped: &PipeReader, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    let mut last = None;
    loop {
        if last.is_none() && ended(from, stopped)? {
            let flags = OFlag::from_bits_retain(fcntl(from, FcntlArg::F_GETFL)?);
            fcntl(from, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
            last = Some(0);
        }
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(&chunk[..count])?;
                to.flush()?;
                if let Some(total) = &mut last {
                    *total += count;
                    if *total >= MOST_IN_A_PIPE {
                        return Ok(());
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Waits for something to read or for the end of `stopped`; whether it was that.
fn ended(from: &PipeReader, stopped: &PipeReader) -> io::Result<bool> {
    let mut wait = [
        PollFd::new(from.as_fd(), PollFlags::POLLIN),
        PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
    ];
    while let Err(errno) = poll(&mut wait, PollTimeout::NONE) {
        if errno != nix::Error::EINTR {
            return Err(errno.into());
        }
    }
    Ok(wait[1].any().unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn piped() -> (PipeReader, File, Output) {
        let (reader, ours) = io::pipe().unwrap();
        let (theirs, output) = output(ours.into()).unwrap();
        (reader, File::from(theirs), output)
    }

    #[test]
    fn all_of_the_output_reaches_a_slow_reader() {
        let (mut reader, mut theirs, output) = piped();
        // More than our pipe and theirs hold together, so that a part waits in each.
        let writing = thread::spawn(move || theirs.write_all(&[7; 200_000]));
        let slow = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        writing.join().unwrap().unwrap();
        output.finish();
        assert_eq!(slow.join().unwrap(), 200_000);
    }

    #[test]
    fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
        let (mut reader, theirs, output) = piped();
        let mut daemon = theirs.try_clone().unwrap();
        drop(theirs);
        daemon.write_all(b"before").unwrap();
        // Would never return if it waited.
        output.finish();
        drop(daemon);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "before");
    }
}
