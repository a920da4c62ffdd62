//! Who may ask, and how.

use super::*;

#[test]
fn requests_that_are_sent_at_once_are_answered_in_order() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    get(&run(&cache), &upstream.url("a.deb"));
    let proxy = run(&cache);
    let mut client = Client::new(&proxy);
    let login = client.login.clone();
    let request = |method: &str, path: &str, more: &str| {
        let url = upstream.url(path);
        format!("{method} {url} HTTP/1.1\r\n{login}{more}\r\n")
    };
    let all = [
        request("GET", "a.deb", "Range: bytes=5-\r\n"),
        request("HEAD", "a.deb", ""),
        request("HEAD", "new.deb", ""),
        request("GET", "b.deb", "Range: nonsense\r\n"),
        request("GET", "c", ""),
    ];
    let all = all.concat();
    // Cut anywhere.
    let (start, end) = all.split_at(all.len() / 3);
    client.send(start);
    thread::sleep(Duration::from_millis(20));
    client.send(end);
    for with_body in [true, false, false, true, true] {
        let (head, body) = client.answer(with_body);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-length: 20\r\n"), "{head}");
        assert_eq!(body, if with_body { DEB } else { "" });
    }
}

#[test]
fn nobody_gets_anything_without_the_token_and_nothing_but_http() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let proxy = run(&cache);
    let said = |text: String| {
        let mut client = Client::new(&proxy);
        client.send(&text.replace("LOGIN", client.login.clone().trim_end()));
        let _ = client.reader.get_ref().shutdown(Shutdown::Write);
        client.rest().lines().next().unwrap_or_default().to_owned()
    };
    let url = upstream.url("a.deb");
    let guess = STANDARD.encode(format!("{USER}:{}", "0".repeat(32)));
    for login in [
        "X: y",
        &format!("Proxy-Authorization: Basic {guess}"),
        "Authorization: Basic LOGIN",
    ] {
        let text = said(format!("GET {url} HTTP/1.1\r\n{login}\r\n\r\n"));
        assert_eq!(text, "HTTP/1.1 407 Proxy Authentication Required");
    }
    for (request, status) in [
        (
            "GET file:///etc/passwd HTTP/1.1\r\nLOGIN\r\n\r\n".into(),
            "400",
        ),
        (
            format!("CONNECT {} HTTP/1.1\r\nLOGIN\r\n\r\n", upstream.address),
            "405",
        ),
        (
            format!("GET {url} HTTP/1.1\r\nLOGIN\r\nX: {}", "x".repeat(1 << 20)),
            "431",
        ),
        ("\u{0}\u{7f}garbage\r\n\r\n".into(), "400"),
        (format!("GET {url} HTTP/1.1\r\nLOGIN"), ""),
        (String::new(), ""),
    ] {
        let text = said(request);
        assert_eq!(text.split(' ').nth(1).unwrap_or_default(), status, "{text}");
    }
    assert!(upstream.requests().is_empty());
    // It still serves.
    assert_eq!(get(&proxy, &url).1, DEB);
}

#[test]
fn who_connects_and_says_nothing_is_in_nobodys_way() {
    let (cache, upstream) = (tempfile::tempdir().unwrap(), Upstream::start(&whole(DEB)));
    let proxy = run(&cache);
    let url = upstream.url("a.deb");
    let connect = |said: &str| {
        let mut client = Client::new(&proxy);
        client.send(said);
        client
    };
    // Nothing, half a request, and one that is refused and goes on.
    let half = format!("GET {url} HTTP/1.1\r\nX: ");
    let others = ["", &half, "GET a HTTP/1.1\r\n\r\nmore"];
    let others: Vec<_> = (0..200).map(|n| connect(others[n % 3])).collect();
    for _ in 0..3 {
        assert_eq!(get(&proxy, &url).1, DEB);
    }
    drop(others);
}

#[test]
fn apt_gets_the_address_and_the_token() {
    let proxy = run(&tempfile::tempdir().unwrap());
    let Proxy { address, token } = &proxy;
    assert_eq!(token.len(), 32);
    assert_eq!(
        proxy.apt_lines(),
        format!(
            "Acquire::http::Proxy \"http://pichroot:{token}@{address}/\";\n\
             Acquire::https::Proxy \"DIRECT\";\n"
        )
    );
}
