//! A Vault server as far as reading a secret goes: `secret/` is KV version 2, `old/` version 1.
//!
//! The answers are shaped as in Vault's API documentation (secret/kv, system/internal-ui-mounts).

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

pub const TOKEN: &str = "hvs.t0ken-0f-the-vault";

/// Serves the field `key` of `old/ceph` and of `secret/ceph`; returns the address.
pub fn serve(old: &str, new: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (old, new) = (old.to_owned(), new.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let path = request[0].split(' ').nth(1).unwrap_or_default();
            let allowed = request
                .iter()
                .any(|line| line.to_lowercase() == format!("x-vault-token: {TOKEN}"));
            let body = match path {
                _ if !allowed => None,
                "/v1/sys/internal/ui/mounts/old/ceph" => {
                    Some(r#"{"data":{"path":"old/","type":"kv","options":null}}"#.to_owned())
                }
                "/v1/sys/internal/ui/mounts/secret/ceph" => Some(
                    r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#
                        .to_owned(),
                ),
                "/v1/old/ceph" => Some(format!(r#"{{"data":{{"key":"{old}"}}}}"#)),
                "/v1/secret/data/ceph" => Some(format!(
                    r#"{{"data":{{"data":{{"key":"{new}"}},"metadata":{{"version":3}}}}}}"#
                )),
                _ => None,
            };
            let status = if body.is_some() {
                "200 OK"
            } else {
                "403 Forbidden"
            };
            let body = body.unwrap_or(r#"{"errors":["permission denied"]}"#.into());
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}
