//! Lists of package sources in both forms of sources.list(5).

use super::installed::{field, paragraphs};
use crate::address::Address;

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Where it is.
    pub uri: String,
    /// The suite, or the path in a flat repository.
    pub suite: String,
    /// The suite's components.
    pub components: Vec<String>,
    /// What may sign it; `None` is every key that the image trusts.
    pub signed_by: Option<String>,
}

/// `deb [signed-by=KEY] URI SUITE COMPONENT...`
pub fn one_line(text: &str) -> Vec<Source> {
    let source = |line: &str| {
        let line = line.split('#').next()?.trim();
        let mut rest = line.strip_prefix("deb")?.trim_start();
        if rest.len() + 3 == line.len() {
            return None; // deb-src
        }
        let mut signed_by = None;
        if let Some(options) = rest.strip_prefix('[') {
            let (options, behind) = options.split_once(']')?;
            let option = |o: &str| o.strip_prefix("signed-by=").map(str::to_owned);
            signed_by = options.split_whitespace().find_map(option);
            rest = behind;
        }
        let mut words = rest.split_whitespace().map(str::to_owned);
        Some(Source {
            uri: words.next()?,
            suite: words.next()?,
            components: words.collect(),
            signed_by,
        })
    };
    text.lines().filter_map(source).collect()
}

/// Paragraphs with `URIs`, `Suites`, `Components`, `Signed-By`.
pub fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    for paragraph in paragraphs(&text) {
        let words = |name| {
            field(paragraph, name)
                .unwrap_or_default()
                .split_whitespace()
        };
        // What apt takes for no (StringToBool).
        let no = ["no", "false", "without", "off", "disable"];
        let is_no = |value: &str| no.iter().any(|no| value.eq_ignore_ascii_case(no));
        let disabled = field(paragraph, "Enabled").is_some_and(is_no);
        if disabled || !words("Types").any(|kind| kind == "deb") {
            continue;
        }
        for uri in words("URIs") {
            for suite in words("Suites") {
                sources.push(Source {
                    uri: uri.to_owned(),
                    suite: suite.to_owned(),
                    components: words("Components").map(str::to_owned).collect(),
                    // A key in the list itself is an empty value here, so the source is left out.
                    signed_by: field(paragraph, "Signed-By").map(str::to_owned),
                });
            }
        }
    }
    sources
}

/// The source as it is for the architectures of PCs; `None` where it cannot be used.
pub fn primary(mut source: Source) -> Option<Source> {
    let address = Address::of(&source.uri);
    // Neither passwords nor anything that a list would read as more than a word.
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"+-._~/:%".contains(&b);
    let plain = |word: &String| word.bytes().all(usual);
    let words = plain(&source.uri) && plain(&source.suite) && source.components.iter().all(plain);
    if !words || !matches!(address.scheme, Some("http" | "https")) {
        return None;
    }
    // Ubuntu keeps all but amd64 and i386 apart.
    let path = address.path.trim_end_matches('/');
    if address.host.ends_with("ports.ubuntu.com") || path.ends_with("ubuntu-ports") {
        let security = source.suite.ends_with("-security");
        let host = if security { "security" } else { "archive" };
        source.uri = format!("http://{host}.ubuntu.com/ubuntu");
    }
    Some(source)
}
