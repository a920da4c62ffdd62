//! Reads checksum files as `sha256sum`, `cksum --tag` and the distributions write them.

use super::digest::{Algorithm, Digest};

/// The digest that the checksum file `text` gives for the file called `name`.
///
/// Understands `HEX  name`, `HEX *name` (also with the leading backslash of an escaped name) and
/// `SHA256 (name) = HEX`, with directories before the name ignored; where several algorithms are
/// listed, the strongest counts. A file that holds one bare digest and nothing else stands for
/// any name. Other lines, such as comments and signatures, are passed over.
///
/// # Errors
/// The reason, as words that follow the checksum file's own name.
pub fn find(text: &str, name: &str) -> Result<Digest, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if let (Some(only), None) = (lines.next(), lines.next())
        && let Some(digest) = Digest::by_length(only)
    {
        return Ok(digest);
    }
    let entries: Vec<(Digest, String)> = text.lines().filter_map(entry).collect();
    if entries.is_empty() {
        return Err("holds no checksum line".into());
    }
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut found: Vec<&Digest> = entries
        .iter()
        .filter(|(_, listed)| base(listed) == name)
        .map(|(digest, _)| digest)
        .collect();
    found.sort_by_key(|digest| digest.algorithm);
    let Some(best) = found.pop() else {
        return Err(format!("has no line for {name}"));
    };
    if let Some(previous) = found.pop()
        && previous.algorithm == best.algorithm
        && previous != best
    {
        return Err(format!("gives two different checksums for {name}"));
    }
    Ok(best.clone())
}

/// The digest and file name of one line.
fn entry(line: &str) -> Option<(Digest, String)> {
    let line = line.trim_end_matches(['\r', '\n']);
    tagged(line).or_else(|| plain(line))
}

/// `SHA256 (name) = HEX`
fn tagged(line: &str) -> Option<(Digest, String)> {
    let (line, escaped) = unescape_mark(line);
    let (tag, rest) = line.split_once(" (")?;
    let (name, hex) = rest.rsplit_once(") = ")?;
    let digest = Digest::new(Algorithm::by_name(tag)?, hex.trim())?;
    Some((digest, unescape(name, escaped)))
}

/// `HEX  name` or `HEX *name`
fn plain(line: &str) -> Option<(Digest, String)> {
    let (line, escaped) = unescape_mark(line);
    let (hex, name) = line.split_once([' ', '\t'])?;
    let digest = Digest::by_length(hex)?;
    let name = name.strip_prefix([' ', '*', '\t']).unwrap_or(name);
    (!name.is_empty()).then(|| (digest, unescape(name, escaped)))
}

/// GNU puts a backslash before a line whose name holds escapes.
fn unescape_mark(line: &str) -> (&str, bool) {
    match line.strip_prefix('\\') {
        Some(rest) => (rest, true),
        None => (line, false),
    }
}

fn unescape(name: &str, escaped: bool) -> String {
    if !escaped {
        return name.to_owned();
    }
    let mut out = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\').1.then(|| chars.next()).flatten() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some(other) => out.push(other),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const MD5: &str = "cccccccccccccccccccccccccccccccc";

    fn hex(text: &str, name: &str) -> Result<String, String> {
        find(text, name).map(|digest| digest.hex)
    }

    #[test]
    fn both_gnu_formats_and_the_tagged_one() {
        for text in [
            format!("{B}  other.img\n{A}  x.img\n"),
            format!("{B} *other.img\r\n{A} *x.img\r\n"),
            format!("{A} *./dir/x.img\n{B}  x.img.sig\n"),
            format!("SHA256 (x.img) = {A}\nSHA256 (y (1).img) = {B}\n"),
            format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A} *x.img\n"),
            format!("{}  x.img", A.to_uppercase()),
        ] {
            assert_eq!(hex(&text, "x.img").as_deref(), Ok(A), "{text}");
        }
    }

    #[test]
    fn the_strongest_of_several_algorithms_counts() {
        let text = format!("{A}  x.img\nMD5 (x.img) = {MD5}\n");
        assert_eq!(find(&text, "x.img").unwrap().algorithm, Algorithm::Sha256);
    }

    #[test]
    fn a_bare_digest_stands_for_any_name_only_when_it_is_alone() {
        assert_eq!(hex(&format!("\n{A}\n"), "x.img").as_deref(), Ok(A));
        assert!(hex(&format!("{A}\n{B}\n"), "x.img").is_err());
    }

    #[test]
    fn what_does_not_decide_is_refused() {
        let missing = hex(&format!("{A}  y.img\n"), "x.img").unwrap_err();
        assert_eq!(missing, "has no line for x.img");
        let twice = format!("{A}  a/x.img\n{B}  b/x.img\n");
        assert!(hex(&twice, "x.img").unwrap_err().contains("two different"));
        assert!(hex("<html>404</html>", "x.img").is_err());
        assert!(hex("", "x.img").is_err());
    }

    #[test]
    fn escaped_names() {
        let text = format!("\\{A}  a\\\\b.img\n");
        assert_eq!(hex(&text, "a\\b.img").as_deref(), Ok(A));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", name in "\\PC*") {
            let _ = find(&text, &name);
            let _ = entry(&text);
        }
    }
}
