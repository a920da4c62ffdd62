//! A small HTTP server for tests, which can break connections, stall, and change its files.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What was asked for.
pub struct Request {
    pub path: String,
    /// Everything, header names in lower case.
    pub text: String,
}

impl Request {
    /// The server's own address.
    pub fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }
}

/// What is answered.
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Send only this many bytes of the body, wait this long, and hang up.
    cut: Option<(usize, Duration)>,
}

impl Reply {
    /// All of a file, with its ETag where it has one.
    pub fn of(body: &[u8], etag: Option<&str>) -> Reply {
        let mut reply = Reply::status(200);
        reply.body = body.to_vec();
        match etag {
            Some(etag) => reply.header("etag", etag),
            None => reply,
        }
    }

    pub fn status(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            cut: None,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// One file, under every path.
pub struct Files {
    data: Mutex<(Vec<u8>, u32)>,
    /// Whether Range is understood.
    pub ranges: bool,
    /// After how many bytes of the body each connection breaks, in order; then none does.
    pub break_after: Vec<usize>,
    /// How long it is silent before it hangs up.
    pub stall: Option<Duration>,
    /// What the file becomes after the first break.
    pub next: Option<Vec<u8>>,
    served: AtomicUsize,
}

impl Files {
    pub fn new(data: &[u8]) -> Files {
        Files {
            data: Mutex::new((data.to_vec(), 1)),
            ranges: true,
            break_after: Vec::new(),
            stall: None,
            next: None,
            served: AtomicUsize::new(0),
        }
    }

    pub fn reply(&self, request: &Request) -> Reply {
        let served = self.served.fetch_add(1, Ordering::SeqCst);
        let mut held = self.data.lock().unwrap();
        if let (1, Some(next)) = (served, &self.next) {
            *held = (next.clone(), 2);
        }
        let (data, version) = &*held;
        let etag = format!("\"{version}\"");
        if request.header("if-none-match") == Some(&etag) {
            return Reply::status(304);
        }
        let current = request
            .header("if-range")
            .is_none_or(|version| version == etag);
        let start = request
            .header("range")
            .filter(|_| self.ranges && current)
            .map(|range| {
                range["bytes=".len()..]
                    .trim_end_matches('-')
                    .parse::<usize>()
                    .unwrap()
            });
        let total = data.len();
        let mut reply = match start {
            Some(start) if start >= total => {
                return Reply::status(416).header("content-range", &format!("bytes */{total}"));
            }
            Some(start) => Reply::status(206).header(
                "content-range",
                &format!("bytes {start}-{}/{total}", total - 1),
            ),
            None => Reply::status(200),
        };
        reply = reply.header("etag", &etag);
        reply.body = data[start.unwrap_or(0)..].to_vec();
        let cut = self
            .break_after
            .get(served)
            .map(|at| at.saturating_sub(start.unwrap_or(0)));
        reply.cut = cut.map(|at| (at, self.stall.unwrap_or_default()));
        reply
    }
}

/// The running server; it stops when it is dropped.
pub struct Server {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    pub fn start(files: Files) -> Server {
        Server::start_with(move |request| files.reply(request))
    }

    pub fn start_with(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let (state, answer) = (shared.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.stop.load(Ordering::SeqCst) {
                    break;
                }
                let (state, answer) = (state.clone(), answer.clone());
                thread::spawn(move || serve(stream.unwrap(), &state, &*answer));
            }
        });
        Server { address, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many bytes of bodies were sent.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections, which then lets go of the port.
        let _ = TcpStream::connect(&self.address);
        while TcpStream::connect(&self.address).is_ok() {
            thread::yield_now();
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, answer: &dyn Fn(&Request) -> Reply) {
    let mut text = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let line = line.trim_end();
        match line.split_once(": ") {
            Some((name, value)) => {
                text.push_str(&format!("{}: {value}\n", name.to_ascii_lowercase()));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    let Some(path) = text.split(' ').nth(1).map(str::to_owned) else {
        return;
    };
    shared.requests.lock().unwrap().push(text.clone());
    let reply = answer(&Request { path, text });
    let mut head = format!("HTTP/1.1 {} Reply\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", reply.body.len()));
    let (end, pause) = reply.cut.unwrap_or((reply.body.len(), Duration::ZERO));
    let body = &reply.body[..end.min(reply.body.len())];
    if stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body))
        .is_ok()
    {
        shared.sent.fetch_add(body.len(), Ordering::SeqCst);
    }
    thread::sleep(pause);
}
