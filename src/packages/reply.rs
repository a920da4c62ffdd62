//! The heads of answers.

use std::fmt::Write;

use ureq::http::{HeaderMap, HeaderName, header};

use super::request::Refusal;

/// The headers of a server's answer that clients get, beside those that tell where it ends.
const PASSED: [HeaderName; 9] = [
    header::ACCEPT_RANGES,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::WWW_AUTHENTICATE,
];
/// Of those, what is kept with a file: apt gives files this time, and it tells versions from each other.
/// Not what differs from one server of a mirror to another, as their types and tags do.
const KEPT: [HeaderName; 1] = [header::LAST_MODIFIED];

/// How a client sees the end of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is nothing after the head.
    Head,
    /// After so many bytes.
    Length(u64),
    /// At the last chunk.
    Chunks,
}

/// The head of a server's answer, for a client.
pub fn head(status: u16, reason: &str, headers: &HeaderMap, end: End) -> String {
    write(status, reason, headers, &PASSED, end)
}

/// The head that a whole file of `length` bytes is kept with.
pub fn kept(headers: &HeaderMap, length: u64) -> String {
    write(200, "OK", headers, &KEPT, End::Length(length))
}

fn write(status: u16, reason: &str, from: &HeaderMap, which: &[HeaderName], end: End) -> String {
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for name in which {
        let value = from.get(name).and_then(|value| value.to_str().ok());
        if let Some(value) = value {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    let _ = match end {
        End::Head => Ok(()),
        End::Length(length) => write!(head, "content-length: {length}\r\n"),
        End::Chunks => write!(head, "transfer-encoding: chunked\r\n"),
    };
    head + "\r\n"
}

/// The last answer of a connection: a refusal.
pub fn refusal(Refusal(status, reason): &Refusal) -> String {
    let more = match status {
        407 => "proxy-authenticate: Basic realm=\"pichroot\"\r\n",
        405 => "allow: GET, HEAD\r\n",
        _ => "",
    };
    format!("HTTP/1.1 {status} {reason}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n")
}

/// The answer where a server gave none. apt shows the reason.
pub fn unreachable(why: &str, head_only: bool) -> String {
    let why = why.replace(|c: char| c.is_control(), " ");
    let text = if head_only { "" } else { &why };
    let length = why.len();
    format!(
        "HTTP/1.1 502 {why}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n{text}"
    )
}
