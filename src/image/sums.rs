//! Reads checksum files as `sha256sum`, `cksum --tag` and the distributions write them.

use std::fmt;

use super::digest::{Algorithm, Digest};

/// Endings that say how an image is packed; without them is what comes out.
const PACKED: [&str; 4] = [".xz", ".gz", ".zst", ".zip"];

/// Why a checksum file does not tell; displayed behind the file's own name.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfound {
    /// It is not a checksum file.
    NoLines,
    /// It does not know this file.
    NoLine(String),
    /// It contradicts itself about this file.
    Two(String),
}

impl fmt::Display for Unfound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfound::NoLines => f.write_str("holds no checksum line"),
            Unfound::NoLine(name) => write!(f, "has no line for {name}"),
            Unfound::Two(name) => write!(f, "gives two different checksums for {name}"),
        }
    }
}

/// The text of a checksum file: UTF-8, or UTF-16 as PowerShell writes it, without its byte order mark.
pub fn text(bytes: &[u8]) -> String {
    let wide = |from: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|two| from([two[0], two[1]]));
        String::from_utf16_lossy(&units.collect::<Vec<u16>>())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

/// The digest that the checksum file `text` gives for the file with one of these `names`, the first that
/// it knows; or else for what is packed in it, by the name without the ending.
///
/// Understands `HEX  name`, `HEX *name` (also with the leading backslash of an escaped name),
/// `SHA256 (name) = HEX` and openssl's `SHA2-256(name)= HEX`, with directories before the name ignored;
/// where several algorithms are listed, the strongest counts. A file that holds one bare digest and
/// nothing else stands for any name. Other lines, such as comments and signatures, are passed over.
///
/// # Errors
/// Why there is none.
pub fn find(text: &str, names: &[String]) -> Result<Digest, Unfound> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if let (Some(only), None) = (lines.next(), lines.next())
        && let Some(digest) = Digest::by_length(only)
    {
        return Ok(digest);
    }
    let entries: Vec<(Digest, String)> = text.lines().filter_map(entry).collect();
    if entries.is_empty() {
        return Err(Unfound::NoLines);
    }
    let unpacked = names.iter().flat_map(|name| {
        let without = |end: &&str| name.strip_suffix(*end).filter(|rest| !rest.is_empty());
        let stems = PACKED.iter().filter_map(without);
        stems.flat_map(|stem| [stem.to_owned(), format!("{stem}.img")])
    });
    let mut all = names.iter().cloned().chain(unpacked);
    all.find_map(|name| named(&entries, &name).transpose())
        .unwrap_or_else(|| Err(Unfound::NoLine(names.first().cloned().unwrap_or_default())))
}

/// The digest for exactly this name.
fn named(entries: &[(Digest, String)], name: &str) -> Result<Option<Digest>, Unfound> {
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut found: Vec<&Digest> = entries
        .iter()
        .filter(|(_, listed)| base(listed) == name)
        .map(|(digest, _)| digest)
        .collect();
    found.sort_by_key(|digest| digest.algorithm);
    let Some(best) = found.pop() else {
        return Ok(None);
    };
    if let Some(previous) = found.pop()
        && previous.algorithm == best.algorithm
        && previous != best
    {
        return Err(Unfound::Two(name.to_owned()));
    }
    Ok(Some(best.clone()))
}

/// The digest and file name of one line.
fn entry(line: &str) -> Option<(Digest, String)> {
    let line = line.trim_end_matches(['\r', '\n']);
    tagged(line).or_else(|| plain(line))
}

/// `SHA256 (name) = HEX`, `SHA256(name)= HEX` or `SHA2-256(name)= HEX`
fn tagged(line: &str) -> Option<(Digest, String)> {
    let (line, escaped) = unescape_mark(line);
    let (tag, rest) = line.split_once('(')?;
    let (name, hex) = rest.rsplit_once(')')?;
    let hex = hex.trim_start().strip_prefix('=')?.trim();
    // openssl's name since version 3.
    let tag = tag.trim_end().replace("SHA2-", "SHA");
    let digest = Digest::new(Algorithm::by_name(&tag)?, hex)?;
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
        let found = find(text, &[name.to_owned()]);
        found
            .map(|digest| digest.hex)
            .map_err(|why| why.to_string())
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
            format!("SHA256(x.img)= {A}\nSHA256(y.img)= {B}\n"),
            format!("SHA2-256(./x.img)= {A}\r\n"),
        ] {
            assert_eq!(hex(&text, "x.img").as_deref(), Ok(A), "{text}");
        }
    }

    #[test]
    fn the_strongest_of_several_algorithms_counts() {
        let text = format!("{A}  x.img\nMD5 (x.img) = {MD5}\n");
        let best = find(&text, &["x.img".into()]).unwrap();
        assert_eq!(best.algorithm, Algorithm::Sha256);
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
    fn the_first_name_counts_that_is_known_and_the_packed_one_before_the_image() {
        let find = |text: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            find(text, &names).map(|digest| digest.hex)
        };
        let text = format!("{A}  x.img\n{B}  x.img.xz\n");
        assert_eq!(find(&text, &["x.img.xz"]).as_deref(), Ok(B));
        assert_eq!(find(&text, &["latest", "x.img.xz"]).as_deref(), Ok(B));
        assert_eq!(find(&text, &["latest", "x.img.gz"]).as_deref(), Ok(A));
        assert_eq!(find(&text, &["x.zip"]).as_deref(), Ok(A));
        let none = Err(Unfound::NoLine("latest".into()));
        assert_eq!(find(&text, &["latest", "y.img"]), none);
    }

    #[test]
    fn byte_order_marks_and_utf_16() {
        let line = format!("{A}  x.img\r\n");
        let wide = |to: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let marked = format!("\u{feff}{line}");
            marked.encode_utf16().flat_map(to).collect()
        };
        for bytes in [
            line.clone().into_bytes(),
            format!("\u{feff}{line}").into_bytes(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes), line);
            assert_eq!(hex(&text(&bytes), "x.img").as_deref(), Ok(A));
        }
        assert_eq!(text(b"\xff\xfe"), "");
        assert_eq!(text(b"\xff\xfeA"), "");
    }

    #[test]
    fn escaped_names() {
        let text = format!("\\{A}  a\\\\b.img\n");
        assert_eq!(hex(&text, "a\\b.img").as_deref(), Ok(A));
    }

    #[test]
    fn fuzz_checksum_files() {
        let inputs = [
            format!("{B}  other.img\n{A} *x.img\n"),
            format!("SHA256 (x.img) = {A}\nSHA2-256(y.img)= {B}\r\nMD5 (x.img) = {MD5}\n"),
            format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A} *d/x.img\n"),
            format!("\\{A}  a\\n\\\\x.img\n"),
            format!("{A}\n"),
        ];
        let mut inputs = inputs.map(String::into_bytes).to_vec();
        let wide = |to: fn(u16) -> [u8; 2]| {
            let text = format!("\u{feff}{A}  x.img\n");
            text.encode_utf16().flat_map(to).collect()
        };
        inputs.extend([wide(u16::to_le_bytes), wide(u16::to_be_bytes)]);
        let words = [
            "x.img", "x.img.xz", "SHA512", " = ", "(", ")", "\\", "\r", "/",
        ];
        crate::fuzz::run("checksum-files", &inputs, &words, |bytes| {
            let names = ["x.img.xz".to_owned(), "x.img".to_owned(), String::new()];
            names.map(|name| hex(&text(bytes), &name))
        });
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", name in "\\PC*") {
            let _ = find(&super::text(text.as_bytes()), &[name]);
            let _ = entry(&text);
        }
    }
}
