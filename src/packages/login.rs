//! A user and password in the address that apt asks for, as sources.list may have them.

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

use crate::address::Address;

/// `target` without them, so that no message can tell them; and for a server that wants them, the value of
/// Authorization that says the same (RFC 7617).
pub fn split(target: &str) -> (String, Option<String>) {
    let address = Address::of(target);
    let Some(login) = address.login.filter(|_| !address.host.is_empty()) else {
        return (target.to_owned(), None);
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let pair = [user, password].map(|part| percent_decode_str(part).collect::<Vec<_>>());
    // As apt does.
    let header = pair.iter().any(|part| !part.is_empty());
    let header = header.then(|| format!("Basic {}", STANDARD.encode(pair.join(&b':'))));
    (address.without_login(), header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_from_the_address_and_said_as_a_header() {
        for (target, url, login) in [
            ("http://a:80/b@c", "http://a:80/b@c", None),
            ("http://a?b@c", "http://a?b@c", None),
            ("http://@a/b", "http://a/b", None),
            ("http://:@a/b", "http://a/b", None),
            ("http://bob@a/b", "http://a/b", Some("bob:")),
            ("http://:pw@a/b", "http://a/b", Some(":pw")),
            ("http://bob:p:w@a/b", "http://a/b", Some("bob:p:w")),
            ("http://b%6Fb:p%40%2f@a:80", "http://a:80", Some("bob:p@/")),
            ("http://bob:p@w@a/b", "http://a/b", Some("bob:p@w")),
            ("http://bob:1%@a/b", "http://a/b", Some("bob:1%")),
        ] {
            let login = login.map(|text| format!("Basic {}", STANDARD.encode(text)));
            assert_eq!(split(target), (url.to_owned(), login), "{target}");
        }
    }
}
