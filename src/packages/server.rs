//! Serving connections.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    answers::Answers,
    gate, reply,
    request::{self, MAX_HEAD, Refusal, Request},
};

/// How many connections are served at once; more wait. apt has one for each server.
const CONNECTIONS: usize = 16;
/// How long each request after the first may take.
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
        listener.set_nonblocking(true)?;
        let (admit, admitted) = mpsc::channel();
        let shared = Arc::new((self, Mutex::new(admitted)));
        let thread = || thread::Builder::new().name("packages".into());
        for _ in 0..CONNECTIONS {
            let shared = shared.clone();
            thread().spawn(move || {
                let (server, admitted) = &*shared;
                loop {
                    let next = admitted.lock().unwrap_or_else(|e| e.into_inner()).recv();
                    let Ok((stream, received)) = next else {
                        return;
                    };
                    // A connection that broke is the client's business.
                    drop(server.serve(stream, received));
                }
            })?;
        }
        thread().spawn(move || {
            gate::keep(
                &listener,
                |value| shared.0.authorizes(value),
                |stream, received| drop(admit.send((stream, received))),
            );
        })?;
        Ok(())
    }

    /// Whether a value of Proxy-Authorization is the right one.
    fn authorizes(&self, value: &[u8]) -> bool {
        Sha256::digest(value)[..] == self.authorization
    }

    /// Answers the requests of a connection, one after the other; apt sends several at once. The first has been
    /// `received`.
    fn serve(&self, mut stream: TcpStream, mut received: Vec<u8>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(STALL))?;
        loop {
            match self.next(&mut stream, &mut received)? {
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
        }
    }

    /// The next request; `None` if there is none any more. What `received` holds beyond it stays there.
    fn next(
        &self,
        stream: &mut TcpStream,
        received: &mut Vec<u8>,
    ) -> io::Result<Option<Result<Request, Refusal>>> {
        let deadline = Instant::now() + NEXT;
        loop {
            match request::parse(received, |value| self.authorizes(value)) {
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
