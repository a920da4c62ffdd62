//! Reading requests: only what apt asks of a proxy is understood.

use std::str;

use ureq::http::Uri;

use super::login;

/// The longest head of a request, in bytes.
pub const MAX_HEAD: usize = 16 << 10;
/// The most header lines.
const MAX_HEADERS: usize = 64;

/// The header with a user and a password.
pub const AUTHORIZATION: &str = "authorization";
/// The headers of a request that servers get. Not those of encodings: what is stored is plain.
const PASSED: [&str; 9] = [
    "accept",
    AUTHORIZATION,
    "cache-control",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "pragma",
    "range",
    "user-agent",
];

/// A header with its name.
pub type Header = (&'static str, String);

/// A request that may be answered.
#[derive(Debug)]
pub struct Request {
    /// Whether only the answer's head is wanted.
    pub head_only: bool,
    /// What is wanted: `http`, with a host, without a user.
    pub url: Uri,
    /// Of its headers, those that the server gets.
    pub headers: Vec<Header>,
    /// Whether the client sends no more.
    pub last: bool,
}

impl Request {
    /// A header of it.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| *n == name)?;
        Some(value)
    }
}

/// Why a request is not answered, by status and a short text.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub u16, pub &'static str);

/// The request at the beginning of `bytes` and how long it is; `None` while there is more to come.
/// `authorization` decides over the value of Proxy-Authorization.
pub fn parse(
    bytes: &[u8],
    authorized: impl Fn(&[u8]) -> bool,
) -> Result<Option<(Request, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal(431, "Request Header Fields Too Large"));
        }
        Err(_) => return Err(Refusal(400, "Bad Request")),
    };
    let values = |name: &'static str| {
        let named = |header: &&httparse::Header| header.name.eq_ignore_ascii_case(name);
        parsed
            .headers
            .iter()
            .filter(named)
            .map(|header| header.value)
    };
    if !values("proxy-authorization").any(authorized) {
        return Err(Refusal(407, "Proxy Authentication Required"));
    }
    let head_only = match parsed.method.unwrap_or_default() {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Refusal(405, "Method Not Allowed")),
    };
    if parsed.version != Some(1) {
        return Err(Refusal(505, "HTTP Version Not Supported"));
    }
    // With a body it would not be known where the next request begins.
    let body = values("content-length").any(|value| value != b"0")
        || values("transfer-encoding").next().is_some();
    let (url, login) = login::split(parsed.path.unwrap_or_default());
    let url = url.parse::<Uri>().ok();
    let Some(url) = url.filter(|url| !body && is_wanted(url)) else {
        return Err(Refusal(400, "Bad Request"));
    };
    let text = |name| {
        let value = str::from_utf8(values(name).next()?).ok()?;
        Some((name, value.to_owned()))
    };
    let last = values("connection").any(|value| value.eq_ignore_ascii_case(b"close"));
    let mut headers: Vec<_> = PASSED.into_iter().filter_map(text).collect();
    // apt sends both. What is given to those with a password only is not to be taken for public either.
    if let Some(login) = login
        && !headers.iter().any(|(name, _)| *name == AUTHORIZATION)
    {
        headers.push((AUTHORIZATION, login));
    }
    let request = Request {
        head_only,
        url,
        headers,
        last,
    };
    Ok(Some((request, length)))
}

fn is_wanted(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    url.scheme_str() == Some("http") && !host.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<(Request, usize)>, Refusal> {
        let text = text.replace('\n', "\r\n");
        super::parse(text.as_bytes(), |value| value == b"yes")
    }

    fn refused(text: &str) -> u16 {
        parse(text).expect_err(text).0
    }

    #[test]
    fn a_request_of_apts_and_where_it_ends() {
        let text = "GET http://deb.debian.org/debian/a.deb HTTP/1.1\nHost: deb.debian.org\n\
                    Proxy-Authorization: yes\nRange: bytes=5-\nAccept-Encoding: gzip\n\n";
        let (request, length) = parse(&format!("{text}GET http")).unwrap().unwrap();
        assert_eq!(length, text.replace('\n', "\r\n").len());
        assert_eq!(request.url.path(), "/debian/a.deb");
        assert_eq!(request.headers, [("range", "bytes=5-".to_owned())]);
        assert!(!request.head_only && !request.last);
        assert!(parse(&text[..60]).unwrap().is_none());
    }

    #[test]
    fn a_login_in_the_address_is_the_header_that_apt_sends_beside_it() {
        let said = |more: &str| {
            let text = format!(
                "GET http://bob:p%40w@a/x.deb HTTP/1.1\nProxy-Authorization: yes\n{more}\n"
            );
            let (request, _) = parse(&text).unwrap().unwrap();
            assert_eq!(request.url, "http://a/x.deb");
            request.headers
        };
        let header = |value: &str| [(AUTHORIZATION, value.to_owned())];
        assert_eq!(said("Authorization: Basic mine\n"), header("Basic mine"));
        assert_eq!(said(""), header("Basic Ym9iOnBAdw=="));
    }

    #[test]
    fn what_apt_does_not_send_is_refused() {
        let refused_url =
            |url: &str| refused(&format!("GET {url} HTTP/1.1\nProxy-Authorization: yes\n\n"));
        for url in [
            "file:///etc/passwd",
            "/etc/passwd",
            "https://a/x.deb",
            "ftp://a/x.deb",
            "http:///x.deb",
            "http://user:word@/x.deb",
            "a:80",
            "*",
        ] {
            assert_eq!(refused_url(url), 400, "{url}");
        }
        let yes = "HTTP/1.1\nProxy-Authorization: yes\n";
        assert_eq!(refused("GET http://a/ HTTP/1.1\n\n"), 407);
        assert_eq!(
            refused("GET http://a/ HTTP/1.1\nProxy-Authorization: no\n\n"),
            407
        );
        assert_eq!(refused(&format!("CONNECT a:443 {yes}\n")), 405);
        assert_eq!(refused(&format!("POST http://a/ {yes}\n")), 405);
        assert_eq!(
            refused("GET http://a/ HTTP/1.0\nProxy-Authorization: yes\n\n"),
            505
        );
        for body in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            assert_eq!(refused(&format!("GET http://a/ {yes}{body}\n\n")), 400);
        }
        assert_eq!(refused("\0\u{1}\u{2}\n\n"), 400);
        let long = format!("GET http://a/{} HTTP/1.1\n", "a".repeat(MAX_HEAD));
        assert_eq!(refused(&long), 431);
        let many = "a: b\n".repeat(MAX_HEADERS + 1);
        assert_eq!(refused(&format!("GET http://a/ {yes}{many}\n")), 431);
    }
}
