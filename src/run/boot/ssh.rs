//! Whether an SSH server answers.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

/// For how long an answer is waited for: QEMU takes a connection before the machine does.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// The most lines before the one that says it (RFC 4253, 4.2), and how long they are, in bytes.
const MAX_LINES: usize = 32;
const MAX_LINE: u64 = 8192;

/// Waits for one on this port of 127.0.0.1. Can be cancelled.
pub async fn answers(port: u16) {
    while !matches!(timeout(PATIENCE, greets(port)).await, Ok(Ok(true))) {
        sleep(PAUSE).await;
    }
}

async fn greets(port: u16) -> io::Result<bool> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut reader = BufReader::new(stream);
    for _ in 0..MAX_LINES {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(MAX_LINE);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(false);
        }
        if line.starts_with(b"SSH-") {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener, thread};

    use super::*;

    fn server_says(greetings: &'static [&'static str]) -> bool {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let serve = thread::spawn(move || {
            for greeting in greetings {
                let (mut stream, _) = server.accept().unwrap();
                stream.write_all(greeting.as_bytes()).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found =
            runtime.block_on(async { timeout(Duration::from_secs(20), answers(port)).await });
        if found.is_ok() {
            serve.join().unwrap();
        }
        found.is_ok()
    }

    #[test]
    fn a_server_that_closes_at_once_is_tried_again() {
        assert!(server_says(&["", "hello\r\nSSH-2.0-OpenSSH_9.2\r\n"]));
    }
}
