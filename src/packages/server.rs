//! Taking connections.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    answers::Answers,
    reply,
    request::{self, MAX_HEAD, Refusal, Request},
};

/// How many connections are served at once; more wait. apt has one for each server.
const CONNECTIONS: usize = 16;
/// How long the first request may take: anybody on this machine may connect.
const FIRST: Duration = Duration::from_secs(10);
/// How long each further one may.
const NEXT: Duration = Duration::from_secs(60);
/// How long a client may take nothing of its answer.
const STALL: Duration = Duration::from_secs(120);
/// How much is read after a refusal, in bytes.
const MAX_DRAINED: u64 = 4 << 20;

/// What all connections share.
pub struct Server {
    /// Of the right Proxy-Authorization: comparing digests takes as long for every guess.
    authorization: [u8; 32],
    answers: Answers,
}

impl Server {
    /// For clients that give `user`, a name and a password with a colon between them.
    pub fn new(user: &str, answers: Answers) -> Self {
        let authorization = format!("Basic {}", STANDARD.encode(user));
        Server {
            authorization: Sha256::digest(authorization).into(),
            answers,
        }
    }

    /// Serves in threads that end with the process.
    pub fn start(self, listener: TcpListener) -> io::Result<()> {
        let shared = Arc::new((self, listener));
        for _ in 0..CONNECTIONS {
            let shared = shared.clone();
            thread::Builder::new()
                .name("packages".into())
                .spawn(move || {
                    let (server, listener) = &*shared;
                    loop {
                        match listener.accept() {
                            // A connection that broke is the client's business.
                            Ok((stream, _)) => drop(server.serve(stream)),
                            // Too many open files: it passes.
                            Err(_) => thread::sleep(Duration::from_millis(100)),
                        }
                    }
                })?;
        }
        Ok(())
    }

    /// Answers the requests of a connection, one after the other; apt sends several at once.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(STALL))?;
        let mut received = Vec::new();
        let mut patience = FIRST;
        loop {
            match self.next(&mut stream, &mut received, patience)? {
                None => return Ok(()),
                Some(Ok(request)) => {
                    self.answers.answer(&request, &mut stream)?;
                    if request.last {
                        return Ok(());
                    }
                }
                Some(Err(refusal)) => {
                    stream.write_all(reply::refusal(&refusal).as_bytes())?;
                    return drain(&mut stream);
                }
            }
            patience = NEXT;
        }
    }

    /// The next request; `None` if there is none any more. What `received` holds beyond it stays there.
    fn next(
        &self,
        stream: &mut TcpStream,
        received: &mut Vec<u8>,
        patience: Duration,
    ) -> io::Result<Option<Result<Request, Refusal>>> {
        let deadline = Instant::now() + patience;
        loop {
            let authorized = |value: &[u8]| Sha256::digest(value)[..] == self.authorization;
            match request::parse(received, authorized) {
                Ok(Some((request, length))) => {
                    received.drain(..length);
                    return Ok(Some(Ok(request)));
                }
                Ok(None) => {}
                Err(refusal) => return Ok(Some(Err(refusal))),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            stream.set_read_timeout(Some(left))?;
            let mut buffer = [0; MAX_HEAD];
            match stream.read(&mut buffer)? {
                0 => return Ok(None),
                count => received.extend(&buffer[..count]),
            }
        }
    }
}

/// Reads the rest of what a client has sent, within bounds: closed before, the kernel would drop our last
/// answer, too.
fn drain(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(&mut stream.take(MAX_DRAINED), &mut io::sink()).map(drop)
}
