//! Sources on a server.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use crate::{
    case::Case,
    images::{self, pack},
    support::server::{Server, answer, rest},
};

fn packed(case: &Case) -> Vec<u8> {
    images::tiny(&case.path("x.img"));
    let packed = pack::xz(&fs::read(case.path("x.img")).unwrap());
    fs::remove_file(case.path("x.img")).unwrap();
    packed
}

/// What a run with `url` needs to say, and that nothing of it stays.
fn refused(case: &Case, url: &str, sum: &str, code: i32, error: &[&str], hint: &str) {
    let arguments = ["--image", url, "--checksum", sum, "-o", "out.img"];
    case.refused(&mut case.ansible(&arguments), code, error, hint);
    assert_eq!(case.cached(), 0);
}

#[test]
fn answers_that_are_no_image() {
    let case = Case::new();
    let xz = packed(&case);
    let server = Server::start(move |_, request| match request.path.as_str() {
        "/secret.img.xz" => answer("403 Forbidden", b""),
        "/page.img.xz" => answer("200 OK", b"<html>Log in to this hotel's network</html>"),
        "/x.img.xz" => answer("200 OK", &xz),
        "/SHA256SUMS" => answer(
            "200 OK",
            format!("{}  y.img.xz\n", "0".repeat(64)).as_bytes(),
        ),
        _ => answer("404 Not Found", b""),
    });
    let url = |path: &str| format!("{}/{path}", server.url);
    let zeros = format!("sha256:{}", "0".repeat(64));
    let sums = format!("file:{}", url("SHA256SUMS"));
    let no_sums = format!("file:{}", url("NONE"));
    for (path, sum, code, error, hint) in [
        ("gone.img.xz", "none", 2, "404", "check the address"),
        ("secret.img.xz", "none", 2, "403", "login"),
        (
            "page.img.xz",
            "none",
            4,
            "has no partition table",
            "SD cards",
        ),
        (
            "x.img.xz",
            &zeros,
            4,
            "wrong checksum",
            "get the image again",
        ),
        (
            "x.img.xz",
            &sums,
            4,
            "has no line for x.img.xz",
            "sha256:HEX",
        ),
        ("x.img.xz", &no_sums, 2, "404", "check the address"),
    ] {
        if path == "page.img.xz" {
            // A page is a raw image, of a kind: refused when it is looked into.
            let arguments = ["--image", &url(path), "--checksum", sum, "-o", "out.img"];
            case.refused(&mut case.ansible(&arguments), code, &[error], hint);
            continue;
        }
        let arguments = ["--image", &url(path), "--checksum", sum, "-o", "out.img"];
        case.refused(&mut case.ansible(&arguments), code, &[error], hint);
    }
}

#[test]
fn a_server_that_is_not_there() {
    let case = Case::new();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/x.img.xz");
    refused(
        &case,
        &url,
        "none",
        3,
        &[&url],
        "check the address and the network",
    );
}

#[test]
fn a_broken_connection_is_resumed() {
    let case = Case::new();
    let xz = packed(&case);
    let sum = Sha256::digest(&xz)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect::<String>();
    let served = xz.clone();
    let server = Server::start(move |_, request| match request.from {
        None => {
            // All is announced, a third comes.
            let whole = answer("200 OK", &served);
            whole[..whole.len() - 2 * served.len() / 3].to_vec()
        }
        Some(from) => rest(&served, from),
    });
    let url = format!("{}/x.img.xz", server.url);
    let sum = format!("sha256:{sum}");
    let mut run = case.pichroot(["exec", "--checksum", &sum, &url, "--", "uname"]);
    assert_eq!(case.works(&mut run), "Linux\n");
    let from = server
        .requests()
        .iter()
        .map(|request| request.from)
        .collect::<Vec<_>>();
    assert_eq!(from.len(), 2, "{from:?}");
    assert!(from[1] > Some(xz.len() / 4), "{from:?}");
    // The next run needs no server.
    assert_eq!(case.works(&mut run), "Linux\n");
    assert_eq!(server.requests().len(), 2);
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As downloads.raspberrypi.com has it: .../latest leads to the newest, whose checksum has its full name.
#[test]
fn the_checksum_of_what_an_address_leads_to() {
    let case = Case::new();
    let xz = packed(&case);
    let line = format!("{}  2026-01-01-pi.img.xz\n", sha256(&xz));
    let server = Server::start(move |_, request| match request.path.as_str() {
        "/latest" => b"HTTP/1.1 302 Found\r\nLocation: /2026-01-01-pi.img.xz\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n"
            .to_vec(),
        "/latest.sha256" => answer("200 OK", line.as_bytes()),
        _ => answer("200 OK", &xz),
    });
    let (url, sums) = (
        format!("{}/latest", server.url),
        format!("file:{}/latest.sha256", server.url),
    );
    case.works(&mut case.exec(&["--checksum", &sums, &url]));
}

#[test]
fn without_a_network_the_last_checksum_is_used() {
    let case = Case::new();
    let xz = packed(&case);
    let line = format!("{}  x.img.xz\n", sha256(&xz));
    let gone = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let gone = gone.clone();
        move |_, request| match request.path.as_str() {
            // Hangs up.
            _ if gone.load(Ordering::Relaxed) => Vec::new(),
            "/SHA256SUMS" => answer("200 OK", line.as_bytes()),
            _ => answer("200 OK", &xz),
        }
    });
    let sums = format!("file:{}/SHA256SUMS", server.url);
    let run = |image: &str| {
        let url = format!("{}/{image}", server.url);
        case.run(&mut case.exec(&["--checksum", &sums, &url]))
    };
    assert_eq!(run("x.img.xz").code, Some(0));
    gone.store(true, Ordering::Relaxed);
    let ended = run("x.img.xz");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let warned = ended.stderr.lines().any(|line| {
        line.starts_with("warning: cannot get http") && line.contains("last seen in http")
    });
    assert!(warned, "{ended:#?}");
    // Of another image nothing was seen.
    let ended = run("y.img.xz");
    assert_eq!(ended.code, Some(3), "{ended:#?}");
}

#[test]
fn a_server_that_is_slow_and_fails_at_first() {
    let case = Case::new();
    let xz = packed(&case);
    let sum = format!("sha256:{}", sha256(&xz));
    let server = Server::start(move |number, _| match number {
        0 => answer("503 Service Unavailable", b""),
        _ => {
            thread::sleep(Duration::from_secs(3));
            answer("200 OK", &xz)
        }
    });
    let url = format!("{}/x.img.xz", server.url);
    let ended = case.run(&mut case.exec(&["--checksum", &sum, &url]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let retry = format!(
        "warning: {url}: the server answers 503 Service Unavailable; trying again in 1s (retry 1; \
         given up after 4 more failures)\n"
    );
    assert!(ended.stderr.contains(&retry), "{ended:#?}");
    let waiting = format!("==> waiting for an answer from {url}\n");
    assert!(ended.stderr.contains(&waiting), "{ended:#?}");
}

/// Takes half a minute: logs are to show that it goes on.
#[test]
fn a_log_shows_how_far_a_download_is() {
    let case = Case::new();
    let xz = packed(&case);
    let sum = format!("sha256:{}", sha256(&xz));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.img.xz", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let whole = answer("200 OK", &xz);
        let (first, second) = whole.split_at(whole.len() / 2);
        stream.write_all(first).unwrap();
        thread::sleep(Duration::from_secs(32));
        stream.write_all(second).unwrap();
    });
    let ended = case.run(&mut case.exec(&["--checksum", &sum, &url]));
    server.join().unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line = format!("    downloading {url}: ");
    let lines = ended.stderr.lines().filter(|l| l.starts_with(&line));
    assert_eq!(lines.count(), 1, "{ended:#?}");
}
