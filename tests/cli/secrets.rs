//! Secrets that cannot be had.

use std::{fs, net::TcpListener};

use crate::{
    case::Case,
    images,
    support::server::{Server, answer},
};

/// A case, and what `--secret` is given before it.
fn case() -> Case {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case
}

const RUN: [&str; 5] = ["--image", "x.img", "--checksum", "none", "-oout.img"];

#[test]
fn sources_that_have_none() {
    let case = case();
    case.file("empty", "");
    for (source, error, hint) in [
        (
            "key=env:PICHROOT_NO_SUCH",
            "PICHROOT_NO_SUCH is not set",
            "export",
        ),
        ("key=file:none.key", "none.key", "write the secret"),
        ("key=file:empty", "is empty", "UTF-8"),
        ("key=cmd:echo hunter2; echo no >&2; exit 3", "no", "by hand"),
        ("key=cmd:true", "is empty", "UTF-8"),
        ("key=prompt", "key", ""),
        ("key=hunter2", "key", "env:VAR"),
        ("key", "NAME=", "env:VAR"),
        ("1=env:X", "not a variable name", "letters"),
    ] {
        let mut run = case.ansible(&RUN);
        let ended = case.refused(run.args(["--secret", source]), 2, &[error], hint);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn vault() {
    let case = case();
    let server = Server::start(|_, request| match request.path.as_str() {
        path if path.contains("/mounts/") => answer("403 Forbidden", br#"{"errors":["denied"]}"#),
        path if path.contains("forbidden") => answer("403 Forbidden", br#"{"errors":["denied"]}"#),
        path if path.contains("found") => answer("200 OK", br#"{"data":{"other":"x"}}"#),
        _ => answer("404 Not Found", br#"{"errors":[]}"#),
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let closed = format!("http://{}", closed.unwrap());
    let home = case.path("home");
    fs::create_dir(&home).unwrap();
    let one = |address: &str, token: Option<&str>, path: &str| {
        let mut run = case.ansible(&RUN);
        run.args(["--secret", &format!("key=vault:{path}#key")]);
        run.env("HOME", &home)
            .env("VAULT_ADDR", address)
            .env_remove("VAULT_NAMESPACE");
        run.envs(token.map(|token| ("VAULT_TOKEN", token)));
        run
    };
    let (url, token) = (server.url.as_str(), Some("hvs.token"));
    for (mut run, code, error, hint) in [
        (
            one(url, None, "secret/found"),
            2,
            "VAULT_TOKEN",
            "vault login",
        ),
        (
            one(url, token, "secret/forbidden"),
            2,
            "refuses to read",
            "vault token",
        ),
        (
            one(url, token, "secret/missing"),
            2,
            "secret/missing",
            "vault kv get",
        ),
        (one(url, token, "secret/found"), 2, "secret/found", ""),
        (one(&closed, token, "secret/found"), 3, &closed, ""),
    ] {
        let ended = case.refused(&mut run, code, &[error], hint);
        assert!(!ended.stderr.contains("hvs.token"), "{}", ended.stderr);
    }
}
