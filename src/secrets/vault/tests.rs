//! Against a small server that answers as Vault does.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use secrecy::ExposeSecret;

use super::*;
use crate::error::Kind;

const TOKEN: &str = "hvs.the-token";

/// Serves `replies` (path, status, body; 404 for other paths) on a free port; returns its address
/// and the requests it got, as their first line and headers.
fn serve(replies: &[(&str, u16, &str)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, own) = (requests.clone(), address.clone());
    let replies: BTreeMap<String, (u16, String)> = replies
        .iter()
        .map(|(path, status, body)| (format!("/v1/{path}"), (*status, body.to_string())))
        .collect();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut request = String::new();
            for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                if line.is_empty() {
                    break;
                }
                request.push_str(&line);
                request.push('\n');
            }
            let path = request.split(' ').nth(1).unwrap_or_default();
            let missing = (404, r#"{"errors":[]}"#.to_owned());
            let (status, body) = replies.get(path).unwrap_or(&missing);
            let location = if *status == 307 {
                format!("Location: {own}{body}\r\n")
            } else {
                String::new()
            };
            seen.lock().unwrap().push(request);
            let _ = write!(
                &stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\n{location}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (address, requests)
}

fn read(replies: &[(&str, u16, &str)], path: &str) -> (Result<String>, Vec<String>) {
    let (address, requests) = serve(replies);
    let env = [
        ("VAULT_ADDR", address.as_str()),
        ("VAULT_TOKEN", TOKEN),
        ("VAULT_NAMESPACE", "team/"),
    ];
    let env = env.iter().map(|(k, v)| (k.into(), v.into())).collect();
    let client = Client::new(&Settings::from_env(&env).unwrap()).unwrap();
    let value = client.read("pw", path, "key");
    let requests = requests.lock().unwrap().clone();
    (value.map(|v| v.expose_secret().to_owned()), requests)
}

fn refused(replies: &[(&str, u16, &str)], kind: Kind, part: &str) {
    let (value, _) = read(replies, "secret/ceph");
    let error = value.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("secret pw: ") && text.contains(part),
        "{text}"
    );
    assert!(!text.contains(TOKEN));
    assert_eq!(error.kind(), kind);
    assert!(error.hint_text().is_some_and(|hint| !hint.is_empty()));
}

const MOUNT: &str = "sys/internal/ui/mounts/secret/ceph";
const V1: &str = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"1"}}}"#;
const V2: &str = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#;
const V2_SECRET: &str = r#"{"data":{"data":{"key":"AQB="},"metadata":{"version":3}}}"#;
const DENIED: &str = r#"{"errors":["permission denied"]}"#;

#[test]
fn version_1_and_2() {
    let v1 = [
        (MOUNT, 200, V1),
        ("secret/ceph", 200, r#"{"data":{"key":"AQA="}}"#),
    ];
    assert_eq!(read(&v1, "secret/ceph").0.unwrap(), "AQA=");
    let v2 = [(MOUNT, 200, V2), ("secret/data/ceph", 200, V2_SECRET)];
    let (value, requests) = read(&v2, "secret/ceph");
    assert_eq!(value.unwrap(), "AQB=");
    for request in requests {
        let request = request.to_ascii_lowercase();
        assert!(request.contains("x-vault-namespace: team\n"), "{request}");
        assert!(request.contains(&format!("x-vault-token: {TOKEN}")));
    }
}

#[test]
fn a_token_that_may_not_ask_for_the_mount_still_reads() {
    let v2 = [
        (MOUNT, 403, DENIED),
        ("secret/ceph", 403, DENIED),
        ("secret/data/ceph", 200, V2_SECRET),
    ];
    assert_eq!(read(&v2, "secret/ceph").0.unwrap(), "AQB=");
    assert_eq!(read(&v2, "secret/data/ceph").0.unwrap(), "AQB=");
}

#[test]
fn redirections_to_the_active_server_are_followed() {
    let replies = [
        (MOUNT, 307, "/v1/active"),
        ("active", 200, V2),
        ("secret/data/ceph", 200, V2_SECRET),
    ];
    assert_eq!(read(&replies, "secret/ceph").0.unwrap(), "AQB=");
    refused(
        &[(MOUNT, 307, "/v1/sys/internal/ui/mounts/secret/ceph")],
        Kind::Host,
        "without end",
    );
}

#[test]
fn refusals_say_what_to_do() {
    let sealed = r#"{"errors":["Vault is sealed"]}"#;
    refused(&[(MOUNT, 503, sealed)], Kind::Host, "sealed");
    refused(
        &[(MOUNT, 403, DENIED), ("secret/ceph", 403, DENIED)],
        Kind::Usage,
        "(403)",
    );
    refused(
        &[(MOUNT, 200, V2), ("secret/data/ceph", 403, DENIED)],
        Kind::Usage,
        "(403)",
    );
    refused(
        &[(MOUNT, 200, V2)],
        Kind::Usage,
        "no key-value secret at secret/ceph",
    );
    refused(
        &[(MOUNT, 500, r#"{"errors":["boom"]}"#)],
        Kind::Host,
        "boom",
    );
    refused(
        &[(MOUNT, 200, "<html>")],
        Kind::Usage,
        "no key-value secret",
    );
    let deleted = r#"{"data":{"data":null,"metadata":{"deletion_time":"x"}}}"#;
    refused(
        &[(MOUNT, 200, V2), ("secret/data/ceph", 404, deleted)],
        Kind::Usage,
        "is deleted",
    );
}

#[test]
fn a_missing_field_lists_the_others() {
    let replies = [
        (MOUNT, 200, V1),
        ("secret/ceph", 200, r#"{"data":{"b":"x","a":"y"}}"#),
    ];
    let error = read(&replies, "secret/ceph").0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "secret pw: Vault has no field key at secret/ceph"
    );
    assert_eq!(error.hint_text(), Some("its fields are: a, b"));
}

#[test]
fn a_server_that_is_not_there_and_settings_that_are_wrong() {
    let settings = |pairs: &[(&str, &str)]| {
        let env = pairs.iter().map(|(k, v)| (k.into(), v.into())).collect();
        Settings::from_env(&env)
    };
    let gone = settings(&[("VAULT_ADDR", "http://127.0.0.1:1"), ("VAULT_TOKEN", TOKEN)]).unwrap();
    let error = Client::new(&gone)
        .unwrap()
        .read("pw", "a/b", "c")
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Host);
    assert_eq!(gone.address, "http://127.0.0.1:1");
    for pairs in [
        &[][..],
        &[("VAULT_TOKEN", "a\nb")],
        &[("VAULT_TOKEN", TOKEN), ("VAULT_SKIP_VERIFY", "1")],
        &[("VAULT_TOKEN", TOKEN), ("VAULT_ADDR", "unix:///x")],
    ] {
        let error = settings(pairs).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().is_some());
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), "from-file\n").unwrap();
    let read = settings(&[("HOME", home.path().to_str().unwrap())]).unwrap();
    assert_eq!(read.token.expose_secret(), "from-file");
    assert_eq!(read.address, "https://127.0.0.1:8200");
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused_with_a_hint() {
    let settings = |ca: &str| Settings {
        address: "https://127.0.0.1:1".into(),
        token: TOKEN.into(),
        namespace: None,
        ca_file: Some(ca.into()),
    };
    let error = Client::new(&settings("/none.pem")).unwrap_err();
    assert!(error.to_string().contains("/none.pem"));
    let error = Client::new(&settings("/dev/null")).unwrap_err();
    assert!(error.to_string().contains("holds no certificate"));
}
