//! Where a file is: a path, or an http(s) URL.

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;

use crate::{
    address::Address,
    error::{Error, Result},
};

/// Where a file is: here, or on an http(s) server.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A path of this host, relative ones to the working directory.
    Path(PathBuf),
    /// An `http://` or `https://` address. It may hold a password: show it by `Display` only.
    Url(String),
}

impl Location {
    /// Reads `http://...`, `https://...`, `file:///path`, and anything else as a path.
    ///
    /// # Errors
    /// A usage error where nothing is named, a URL has no host or another scheme.
    pub fn parse(text: &str) -> Result<Self> {
        const HINT: &str = "name a path, or an http:// or https:// address";
        if text.is_empty() {
            return Err(Error::usage("no image is named").hint(HINT));
        }
        let address = Address::of(text);
        let Some(scheme) = address.scheme else {
            return Ok(Location::Path(PathBuf::from(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match (address.login, address.host) {
                (None, "" | "localhost") if !address.path.is_empty() => {
                    // There are no queries in paths.
                    let path = [address.path, address.query].concat();
                    let path = percent_decode_str(&path).collect();
                    Ok(Location::Path(OsString::from_vec(path).into()))
                }
                _ => Err(Error::usage(format!("{text} has no absolute path"))
                    .hint("write file:///the/path, or just the path")),
            },
            "http" | "https" => {
                let url = Location::Url(text.to_owned());
                match text.parse::<ureq::http::Uri>() {
                    Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(url),
                    _ => Err(Error::usage(format!("{url} is not a valid address")).hint(HINT)),
                }
            }
            // A relative path may well hold "://", an unknown scheme is far likelier.
            _ if Path::new(text).exists() => Ok(Location::Path(PathBuf::from(text))),
            _ => Err(Error::usage(format!("{text}: {scheme}:// is not supported")).hint(HINT)),
        }
    }

    /// All of it, secrets included: to tell places apart, and not for messages.
    pub fn whole(&self) -> String {
        match self {
            Location::Path(path) => path.display().to_string(),
            Location::Url(url) => url.clone(),
        }
    }

    /// The file beside it whose name has `ending` behind this one's.
    pub fn beside(&self, ending: &str) -> Self {
        match self {
            Location::Path(path) => {
                let mut name = path.clone().into_os_string();
                name.push(ending);
                Location::Path(name.into())
            }
            Location::Url(url) => {
                let end = url.find(['?', '#']).unwrap_or(url.len());
                let (file, query) = url.split_at(end);
                Location::Url([file, ending, query].concat())
            }
        }
    }

    /// The last part of the path, without a URL's query: the name a checksum file knows.
    pub fn file_name(&self) -> String {
        match self {
            Location::Path(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            Location::Url(url) => {
                let path = Address::of(url).path;
                let name = path.rsplit('/').next().unwrap_or_default();
                percent_decode_str(name).decode_utf8_lossy().into_owned()
            }
        }
    }
}

impl fmt::Display for Location {
    /// As written, but a URL without its user, password, query and fragment, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Path(path) => path.display().fmt(f),
            Location::Url(url) => Address::of(url).fmt(f),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn paths_and_urls_are_told_apart() {
        let path = |text: &str| Location::Path(text.into());
        assert_eq!(Location::parse("a/b.img").unwrap(), path("a/b.img"));
        assert_eq!(Location::parse("file:///a%20b").unwrap(), path("/a b"));
        let url = Location::parse("HTTPS://h.example/a.img.xz").unwrap();
        assert!(matches!(url, Location::Url(_)));
        for bad in ["", "ftp://h/x", "http://", "http:///x", "file://host/x"] {
            assert_eq!(Location::parse(bad).unwrap_err().kind(), Kind::Usage);
        }
    }

    #[test]
    fn the_file_name_is_what_a_checksum_file_lists() {
        let name = |text: &str| Location::parse(text).unwrap().file_name();
        assert_eq!(name("http://h/d/a%2Bb.img.xz?sig=/x"), "a+b.img.xz");
        assert_eq!(name("http://h"), "");
        assert_eq!(name("/d/a.img"), "a.img");
        // Percent signs that stand for nothing stay.
        let odd = Location::Url("http://h/%zz%é%+1%41".into());
        assert_eq!(odd.file_name(), "%zz%é%+1A");
        assert_eq!(name("http://h/100%"), "100%");
    }

    #[test]
    fn what_is_beside_has_the_same_query() {
        let beside = |text: &str| Location::parse(text).unwrap().beside(".sig").whole();
        assert_eq!(beside("/d/a.img"), "/d/a.img.sig");
        assert_eq!(
            beside("http://h/a.img?token=T"),
            "http://h/a.img.sig?token=T"
        );
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url = Location::parse("https://me:pw@h.example:8443/a.img?token=T").unwrap();
        assert_eq!(url.to_string(), "https://h.example:8443/a.img?...");
        assert!(!format!("{url:?}").contains("pw"));
    }
}
