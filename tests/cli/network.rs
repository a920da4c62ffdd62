//! Sources on a server.

use std::{fs, net::TcpListener};

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
            "is an HTML page, not an image",
            "browser",
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
