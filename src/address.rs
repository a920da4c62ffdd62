//! Addresses (URLs), taken apart.
//!
//! By their text alone, and also those that are not valid: a login must not show up in a message about one.

use std::fmt;

/// The parts of an address, each as it was written.
#[derive(Clone, Copy)]
pub struct Address<'a> {
    /// What stands in front of `://`; a path has none.
    pub scheme: Option<&'a str>,
    /// The user, and maybe a password.
    pub login: Option<&'a str>,
    /// The host, and maybe a port.
    pub host: &'a str,
    /// The path with the slash that it begins with, if there is one.
    pub path: &'a str,
    /// The query or fragment with the mark that it begins with, if there is one.
    pub query: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart.
    pub fn of(text: &'a str) -> Self {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let (rest, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        Address {
            scheme,
            login,
            host,
            path,
            query,
        }
    }

    /// The same address for everybody.
    pub fn without_login(&self) -> String {
        let (scheme, mark) = self.scheme.map_or(("", ""), |scheme| (scheme, "://"));
        [scheme, mark, self.host, self.path, self.query].concat()
    }
}

impl fmt::Display for Address<'_> {
    /// Without login, query and fragment, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.query.is_empty() { "" } else { "?..." };
        f.write_str(&Address { query, ..*self }.without_login())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let shown = |text| Address::of(text).to_string();
        assert_eq!(
            shown("https://me:p@w@h:84/a?token=T#f"),
            "https://h:84/a?..."
        );
        assert_eq!(shown("me:pw@h:443"), "h:443");
        assert_eq!(shown("http://h?a/b@c"), "http://h?...");
        assert_eq!(shown("http://h/b@c"), "http://h/b@c");
    }
}
