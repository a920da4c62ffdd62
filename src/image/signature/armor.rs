//! OpenPGP's text form (RFC 9580, section 6): gpgv wants keyrings in binary, and one clear-signed message at a time.

use base64::{Engine, engine::general_purpose::STANDARD};

const KEYS: (&str, &str) = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----",
    "-----END PGP PUBLIC KEY BLOCK-----",
);
const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNED_END: &str = "-----END PGP SIGNATURE-----";

/// A keyring in binary.
///
/// # Errors
/// Why it is none, to follow its name.
pub fn keyring(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains(KEYS.0));
    let keys = match text {
        Some(text) => blocks(text)?,
        None => bytes.to_vec(),
    };
    if is_public(&keys) {
        Ok(keys)
    } else {
        Err("holds no public keys")
    }
}

/// A public key packet, or GnuPG's keybox.
fn is_public(bytes: &[u8]) -> bool {
    let first = bytes.first().copied().unwrap_or_default();
    let tag = match first {
        0xc0.. => first & 0x3f,
        0x80.. => (first >> 2) & 0xf,
        _ => 0,
    };
    tag == 6 || bytes.get(8..12) == Some(b"KBXf")
}

/// What all blocks of keys hold.
fn blocks(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut keys = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while lines.any(|line| line == KEYS.0) {
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != KEYS.1).collect();
        // Headers, then an empty line, then base64 and a checksum, which newer programs leave out.
        let start = body
            .iter()
            .position(|line| line.is_empty())
            .map_or(0, |at| at + 1);
        let data = body[start..]
            .iter()
            .take_while(|line| !line.starts_with('='));
        let data: String = data.copied().collect();
        keys.extend(
            STANDARD
                .decode(data)
                .map_err(|_| "holds keys in damaged base64")?,
        );
    }
    Ok(keys)
}

/// The clear-signed message in `bytes`, if there is one; without what is around it.
pub fn clear_signed(bytes: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let start = line_start(text, SIGNED)?;
    let end = line_start(&text[start..], SIGNED_END)?;
    Some(&bytes[start..start + end + SIGNED_END.len()])
}

/// Where the line is that is `wanted`, blanks at its end aside.
fn line_start(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == wanted {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a public key packet, and something behind it.
    const KEY: &[u8] = &[0x98, 0x33, 4, 1, 2, 3];

    fn armored(bytes: &[u8], checksum: &str) -> String {
        let body = STANDARD.encode(bytes);
        let (start, end) = KEYS;
        format!("{start}\nComment: x\n\n{body}\n{checksum}{end}\n")
    }

    #[test]
    fn armored_keys_become_binary() {
        assert_eq!(keyring(KEY).unwrap(), KEY);
        let (one, two) = (armored(KEY, "=abcd\n"), armored(KEY, ""));
        let both = format!("A key:\n{one}and another\r\n{}", two.replace('\n', "\r\n"));
        assert_eq!(keyring(one.as_bytes()).unwrap(), KEY);
        assert_eq!(keyring(both.as_bytes()).unwrap(), [KEY, KEY].concat());
        let keybox = b"\0\0\0\x20\x01\x01\0\x02KBXf\0\0";
        assert!(keyring(keybox).is_ok());
    }

    #[test]
    fn what_holds_no_public_keys() {
        for bytes in [&b""[..], b"text", b"\x95secret key", b"\xc5secret key"] {
            assert_eq!(keyring(bytes), Err("holds no public keys"));
        }
        let damaged = armored(KEY, "").replace("mDM", "m*M");
        assert_eq!(
            keyring(damaged.as_bytes()),
            Err("holds keys in damaged base64")
        );
    }

    #[test]
    fn fuzz_keyrings_and_clear_signed_files() {
        let message = format!(
            "{SIGNED}\nHash: SHA256\n\ntext\n-----BEGIN PGP SIGNATURE-----\n\nx\n{SIGNED_END}\n"
        );
        let inputs = [
            armored(KEY, "=abcd\n"),
            armored(KEY, "") + &message,
            message,
        ]
        .map(String::into_bytes);
        let words = [
            KEYS.0, KEYS.1, SIGNED, SIGNED_END, "\n", "\n\n", "=", "KBXf",
        ];
        crate::fuzz::run("armor", &inputs, &words, |bytes| {
            let signed = clear_signed(bytes).map(<[u8]>::len);
            (keyring(bytes).map(|keys| keys.len()), signed.is_some())
        });
    }

    #[test]
    fn one_message_and_nothing_around_it() {
        let message = format!(
            "{SIGNED}\nHash: SHA256\n\ntext\n-----BEGIN PGP SIGNATURE-----\n\nx\n{SIGNED_END}"
        );
        let text = format!("before\n{message}\nafter\n{message}\n");
        assert_eq!(clear_signed(text.as_bytes()), Some(message.as_bytes()));
        assert_eq!(clear_signed(b"abc  x.img\n"), None);
        assert_eq!(clear_signed(format!("x {SIGNED}\n").as_bytes()), None);
    }
}
