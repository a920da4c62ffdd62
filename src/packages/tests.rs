//! The proxy between a client that speaks by hand and a server of the test's.

mod clients;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Proxy, USER, answers::Answers, store::Store};
use crate::hex::hex;

const DEB: &str = "!<arch>\nsome package";

/// A server that answers each request by what the test says, and remembers them.
struct Upstream {
    address: String,
    answer: Arc<Mutex<String>>,
    requests: Arc<Mutex<Vec<String>>>,
    pause: Arc<Mutex<Duration>>,
}

impl Upstream {
    fn start(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Upstream {
            address: listener.local_addr().unwrap().to_string(),
            answer: Arc::new(Mutex::new(answer.into())),
            requests: Arc::default(),
            pause: Arc::default(),
        };
        let (answer, requests) = (upstream.answer.clone(), upstream.requests.clone());
        let pause = upstream.pause.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                requests.lock().unwrap().push(lines.join("\n"));
                thread::sleep(*pause.lock().unwrap());
                let answer = answer.lock().unwrap().replace('\n', "\r\n");
                let _ = stream.write_all(answer.replace("<arch>\r\n", "<arch>\n").as_bytes());
            }
        });
        upstream
    }

    fn answers(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.into();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\nETag: \"1\"\nLast-Modified: Sat, 01 Jan 2022 00:00:00 GMT\n\
         Connection: close\nContent-Length: {}\n\n{body}",
        body.len()
    )
}

/// A run: a proxy on a cache.
fn run(cache: &TempDir) -> Proxy {
    let store = Store::open(cache.path(), 1 << 20).unwrap();
    Proxy::with(Answers::new(store)).unwrap()
}

struct Client {
    reader: BufReader<TcpStream>,
    login: String,
}

impl Client {
    fn new(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(proxy.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        let user = STANDARD.encode(format!("{USER}:{}", proxy.token));
        Client {
            reader: BufReader::new(stream),
            login: format!("Proxy-Authorization: Basic {user}\r\n"),
        }
    }

    fn send(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn ask(&mut self, method: &str, url: &str, headers: &str) {
        let login = &self.login;
        let request = format!("{method} {url} HTTP/1.1\r\n{login}{headers}\r\n");
        self.send(&request);
    }

    /// The head, and the body by its length.
    fn answer(&mut self, with_body: bool) -> (String, String) {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; if with_body { length } else { 0 }];
        self.reader.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    fn get(&mut self, url: &str) -> (String, String) {
        self.ask("GET", url, "");
        self.answer(true)
    }

    /// All that comes until the connection is closed.
    fn rest(mut self) -> String {
        let mut text = String::new();
        let _ = self.reader.read_to_string(&mut text);
        text
    }
}

fn get(proxy: &Proxy, url: &str) -> (String, String) {
    Client::new(proxy).get(url)
}

#[test]
fn a_package_is_downloaded_for_the_first_run_and_compared_for_the_next() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let url = upstream.url("pool/a.deb");
    let first = get(&run(&cache), &url);
    assert!(first.0.starts_with("HTTP/1.1 200 OK\r\n"), "{first:?}");
    assert_eq!(first.1, DEB);
    let second = get(&run(&cache), &url);
    assert_eq!(second.1, DEB);
    let time = "last-modified: Sat, 01 Jan 2022 00:00:00 GMT\r\n";
    assert!(
        first.0.contains(time) && second.0.contains(time),
        "{second:?}"
    );
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests[0].starts_with("GET") && requests[1].starts_with("HEAD"),
        "{requests:?}"
    );
    // Built anew.
    upstream.answers(&whole("!<arch>\nanother"));
    assert_eq!(get(&run(&cache), &url).1, "!<arch>\nanother");
    // In trouble, and gone.
    for answer in ["HTTP/1.1 503 No\nConnection: close\n\n", "nonsense\n\n"] {
        upstream.answers(answer);
        assert_eq!(get(&run(&cache), &url).1, "!<arch>\nanother", "{answer}");
    }
}

#[test]
fn without_a_network_there_is_what_was_kept_and_an_explanation_for_the_rest() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let list = format!("dists/by-hash/SHA256/{}", hex(&Sha256::digest(DEB)));
    // A port that nobody listens at any more.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = run(&cache);
    let paths = ["a.deb", &list];
    for path in paths {
        let request = format!("http://{closed}/{path}");
        assert!(
            get(&proxy, &request)
                .0
                .starts_with("HTTP/1.1 502 cannot reach 127.0.0.1")
        );
        assert_eq!(get(&proxy, &upstream.url(path)).1, DEB);
    }
    assert_eq!(upstream.requests().len(), 2);
    // By its digest it is what it is, whatever the server would say.
    assert_eq!(get(&run(&cache), &upstream.url(&list)).1, DEB);
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn what_wants_a_password_is_passed_on_and_neither_kept_nor_told() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let proxy = run(&cache);
    let with_login = |url: String| url.replace("http://", "http://bob:secret@");
    for _ in 0..2 {
        assert_eq!(get(&proxy, &with_login(upstream.url("a.deb"))).1, DEB);
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    let header = format!("authorization: Basic {}", STANDARD.encode("bob:secret"));
    for request in requests {
        assert!(request.starts_with("GET /a.deb "), "{request}");
        assert!(
            request.contains(&header) && !request.contains("secret"),
            "{request}"
        );
    }
    // But for the folder of locks.
    assert_eq!(cache.path().read_dir().unwrap().count(), 1);
    let (head, body) = get(&proxy, "http://bob:secret@127.0.0.1:1/a.deb");
    assert!(
        head.starts_with("HTTP/1.1 502 cannot reach 127.0.0.1: "),
        "{head}"
    );
    assert!(!format!("{head}{body}").contains("secret"), "{head}");
}

#[test]
fn asked_again_in_one_run_it_is_downloaded_again() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let (proxy, url) = (run(&cache), upstream.url("a.deb"));
    let mut client = Client::new(&proxy);
    assert_eq!(client.get(&url).1, DEB);
    upstream.answers(&whole("!<arch>\nthe right one"));
    assert_eq!(client.get(&url).1, "!<arch>\nthe right one");
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(get(&run(&cache), &url).1, "!<arch>\nthe right one");
}

#[test]
fn asked_again_there_is_what_was_kept_where_the_server_has_no_other() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let (proxy, url) = (run(&cache), upstream.url("a.deb"));
    let list = upstream.url(&format!("by-hash/SHA256/{}", hex(&Sha256::digest(DEB))));
    assert_eq!(get(&proxy, &url).1, DEB);
    assert_eq!(get(&proxy, &list).1, DEB);
    let gone = "HTTP/1.1 404 No\nContent-Length: 0\nConnection: close\n\n";
    for answer in [gone, "nonsense\n\n"] {
        upstream.answers(answer);
        let (head, body) = get(&proxy, &url);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, DEB);
    }
    // By its digest it cannot have been the wrong one.
    let before = upstream.requests().len();
    assert_eq!(get(&proxy, &list).1, DEB);
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn a_silent_server_is_not_waited_for_longer_than_apt_waits() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let (proxy, url) = (run(&cache), upstream.url("a.deb"));
    assert_eq!(get(&proxy, &url).1, DEB);
    // Longer than a client of these tests waits.
    *upstream.pause.lock().unwrap() = Duration::from_secs(600);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(get(&proxy, &url).1, DEB, "asked again"));
        scope.spawn(|| assert_eq!(get(&run(&cache), &url).1, DEB, "in another run"));
    });
}

#[test]
fn runs_that_want_the_same_at_once_download_it_once() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let url = upstream.url("a.deb");
    *upstream.pause.lock().unwrap() = Duration::from_millis(200);
    let one = || assert_eq!(get(&run(&cache), &url).1, DEB);
    thread::scope(|scope| (0..5).for_each(|_| drop(scope.spawn(one))));
    let requests = upstream.requests();
    let downloads = requests.iter().filter(|r| r.starts_with("GET")).count();
    assert_eq!(downloads, 1, "{requests:?}");
}

#[test]
fn what_is_cut_or_not_what_it_must_be_is_not_kept() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(""));
    let proxy = run(&cache);
    let list = format!("by-hash/SHA256/{}", hex(&Sha256::digest("other")));
    let login = whole("<html>log in</html>");
    let cut = whole(DEB).replace("Content-Length: 2", "Content-Length: 29");
    let private = whole(DEB).replace("ETag", "Cache-Control: private\nETag");
    for (path, answer) in [
        ("cut.deb", &cut),
        ("login.deb", &login),
        ("private.deb", &private),
        (
            "absent.deb",
            &"HTTP/1.1 404 No\nContent-Length: 0\nConnection: close\n\n".into(),
        ),
        ("InRelease", &whole("text")),
        (&list, &whole(DEB)),
    ] {
        upstream.answers(answer);
        let mut client = Client::new(&proxy);
        client.ask("GET", &upstream.url(path), "Connection: close\r\n");
        assert!(client.rest().starts_with("HTTP/1.1 "), "{path}");
        // But for the folder of locks.
        let names = cache.path().read_dir().unwrap().count();
        assert_eq!(names, 1, "{path}");
    }
}

#[test]
fn what_changes_is_passed_on_with_conditions_ranges_and_chunks() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(""));
    let proxy = run(&cache);
    let mut client = Client::new(&proxy);
    let url = upstream.url("InRelease");
    upstream.answers("HTTP/1.1 304 Not Modified\nConnection: close\nETag: \"2\"\n\n");
    client.ask("GET", &url, "If-Modified-Since: then\r\nCookie: mine\r\n");
    let (head, _) = client.answer(true);
    assert_eq!(head, "HTTP/1.1 304 Not Modified\r\netag: \"2\"\r\n");
    let part =
        "HTTP/1.1 206 Part\nContent-Range: bytes 2-3/4\nContent-Length: 2\nConnection: close\n\nxt";
    upstream.answers(part);
    client.ask("GET", &url, "Range: bytes=2-\r\n");
    let (head, body) = client.answer(true);
    assert!(head.contains("206") && head.contains("content-range: bytes 2-3/4"));
    assert_eq!(body, "xt");
    upstream.answers("HTTP/1.1 200 OK\nConnection: close\n\nas long as it lasts");
    client.ask("GET", &url, "Connection: close\r\n");
    let text = client.rest();
    assert!(
        text.contains("transfer-encoding: chunked\r\n\r\n13\r\nas long"),
        "{text}"
    );
    assert!(text.ends_with("lasts\r\n0\r\n\r\n"), "{text}");
    let requests = upstream.requests();
    assert!(
        requests[0].contains("if-modified-since: then"),
        "{requests:?}"
    );
    assert!(requests[1].contains("range: bytes=2-"), "{requests:?}");
    let all = requests.join("\n").to_lowercase();
    assert!(
        !all.contains("cookie") && !all.contains("proxy-authorization"),
        "{all}"
    );
}
