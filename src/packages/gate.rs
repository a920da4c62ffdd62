//! Anybody on this machine may connect, but only who has sent a request with the token takes one of the threads
//! that answer. Until then one thread listens to all at once, and waits for none of them.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    reply,
    request::{self, MAX_HEAD},
};

/// How long somebody may take for the first request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may be at the gate; of more, those go that came first. apt says at once what it wants.
const MAX_GUESTS: usize = 128;
/// How often it is seen whether the time of some is over, in milliseconds.
const LOOK: u16 = 1000;

/// Gives each connection that has sent an authorized request to `admit`, with what was read of it.
pub fn keep(
    listener: &TcpListener,
    authorized: impl Fn(&[u8]) -> bool,
    admit: impl Fn(TcpStream, Vec<u8>),
) {
    let mut guests = VecDeque::new();
    loop {
        wait(listener, &guests);
        match listener.accept() {
            Ok((stream, _)) => guests.extend(Guest::new(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Too many open files: it passes.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
        if guests.len() > MAX_GUESTS {
            guests.pop_front();
        }
        guests = guests
            .into_iter()
            .filter_map(|mut guest| match guest.hear(&authorized) {
                Heard::Nothing => Some(guest),
                Heard::Request => {
                    if guest.stream.set_nonblocking(false).is_ok() {
                        admit(guest.stream, guest.received);
                    }
                    None
                }
                Heard::End => None,
            })
            .collect();
    }
}

/// Until there is something to do.
fn wait(listener: &TcpListener, guests: &VecDeque<Guest>) {
    let streams = guests.iter().map(|guest| guest.stream.as_fd());
    let mut all: Vec<_> = streams
        .chain([listener.as_fd()])
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    let limit = match guests.is_empty() {
        true => PollTimeout::NONE,
        false => LOOK.into(),
    };
    // If it fails, the next look is but sooner.
    let _ = poll(&mut all, limit);
}

/// A connection of which nothing is known.
struct Guest {
    stream: TcpStream,
    received: Vec<u8>,
    since: Instant,
    /// What still comes is read and forgotten: closed before, the kernel would drop our answer, too.
    refused: bool,
}

/// What there is of a guest.
enum Heard {
    Nothing,
    Request,
    End,
}

impl Guest {
    fn new(stream: TcpStream) -> Option<Guest> {
        stream.set_nonblocking(true).ok()?;
        Some(Guest {
            stream,
            received: Vec::new(),
            since: Instant::now(),
            refused: false,
        })
    }

    fn hear(&mut self, authorized: impl Fn(&[u8]) -> bool) -> Heard {
        let mut buffer = [0; MAX_HEAD];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Heard::End,
            Ok(_) if self.refused => {}
            Ok(count) => {
                self.received.extend(&buffer[..count]);
                match request::parse(&self.received, authorized) {
                    Ok(None) => {}
                    Ok(Some(_)) => return Heard::Request,
                    Err(refusal) => {
                        self.refused = true;
                        let _ = self.stream.write_all(reply::refusal(&refusal).as_bytes());
                        let _ = self.stream.shutdown(Shutdown::Write);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Heard::End,
        }
        match self.since.elapsed() < PATIENCE {
            true => Heard::Nothing,
            false => Heard::End,
        }
    }
}
