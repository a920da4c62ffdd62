//! A small web server for one test.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What a request asked for.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// The first byte wanted, of a Range header.
    pub from: Option<usize>,
    pub authorization: Option<String>,
    /// The version that is known, of an If-None-Match header.
    pub known: Option<String>,
}

/// Serves until the test ends.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by what `answer` makes of it and of its number, from 0.
    pub fn start(answer: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static) -> Self {
        Server::start_with_host(move |number, request, _| answer(number, request))
    }

    /// As [`start`](Self::start), for answers that name the server itself, as `127.0.0.1:PORT`.
    pub fn start_with_host(
        answer: impl Fn(usize, &Request, &str) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let url = format!("http://{host}");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else {
                    continue;
                };
                let number = seen.lock().unwrap().len();
                seen.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answer(number, &request, &host));
            }
        });
        Server { url, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A whole answer.
pub fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"one\"\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The rest of `body` from byte `from` on.
pub fn rest(body: &[u8], from: usize) -> Vec<u8> {
    let total = body.len();
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{total}\r\n\
         ETag: \"one\"\r\nConnection: close\r\n\r\n",
        total - from,
        total - 1
    );
    [head.as_bytes(), &body[from..]].concat()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let (mut from, mut authorization, mut known) = (None, None, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = Some(value.to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("if-none-match") => {
                known = Some(value.to_owned());
            }
            _ => {}
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request {
        path,
        from,
        authorization,
        known,
    })
}
