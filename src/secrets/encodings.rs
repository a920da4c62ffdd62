//! The forms in which a secret shows up in output.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use percent_encoding::utf8_percent_encode;
use secrecy::zeroize::Zeroizing;

use super::percent;

/// Shortest line of a multi-line secret that is looked for by itself, in bytes.
const SHORTEST_LINE: usize = 8;
/// Shortest piece of base64 that is looked for, in characters.
const SHORTEST_BASE64: usize = 8;

/// A form of a secret; zeroed when dropped.
pub type Form = Zeroizing<Vec<u8>>;

/// `secret` and its usual encodings, and those of each longer line of it, each once.
///
/// They are: as it is; escaped for JSON (also twice, and in ASCII), for YAML and for Python's
/// `repr`; quoted for a shell; percent-encoded for URLs; and base64, also as part of a longer text
/// such as `user:password`.
pub fn all(secret: &str) -> Vec<Form> {
    let mut forms = of_text(secret);
    if secret.contains('\n') {
        let lines = secret.lines().map(str::trim);
        for line in lines.filter(|line| line.len() >= SHORTEST_LINE) {
            forms.extend(of_text(line));
        }
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
    forms.dedup_by(|a, b| a.as_slice() == b.as_slice());
    forms
}

fn of_text(text: &str) -> Vec<Form> {
    let json = escape(text, Style::Json);
    let json_ascii = escape(text, Style::JsonAscii);
    let mut forms = vec![
        text.to_owned(),
        escape(&json, Style::Json),
        escape(&json_ascii, Style::Json),
        json,
        json_ascii,
        escape(text, Style::Python),
        escape(text, Style::Python).replace('\'', r"\'"),
        escape(text, Style::PythonAscii),
        text.replace('\'', "''"),
        text.replace('\'', r"'\''"),
        text.replace('\'', r#"'"'"'"#),
        escape(text, Style::Shell),
    ];
    for encoded in [percent::ALL, percent::PATH] {
        let upper = utf8_percent_encode(text, encoded).to_string();
        forms.push(lower_hex(&upper));
        forms.push(upper.replace("%20", "+"));
        forms.push(upper);
    }
    for plain in base64(text.as_bytes()) {
        forms.push(plain.replace('+', "-").replace('/', "_"));
        forms.push(plain);
    }
    forms
        .into_iter()
        .map(|form| Zeroizing::new(form.into_bytes()))
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Json,
    JsonAscii,
    Python,
    PythonAscii,
    Shell,
}

/// `text` as it stands between the quotes of the style.
fn escape(text: &str, style: Style) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let python = matches!(style, Style::Python | Style::PythonAscii);
    let ascii = matches!(style, Style::JsonAscii | Style::PythonAscii);
    for c in text.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '"' if !python => out.push_str("\\\""),
            '$' | '`' if style == Style::Shell => {
                out.push('\\');
                out.push(c);
            }
            _ if style == Style::Shell => out.push(c),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            '\u{8}' if !python => out.push_str(r"\b"),
            '\u{c}' if !python => out.push_str(r"\f"),
            c if python && (c.is_control() || (ascii && !c.is_ascii())) => {
                let _ = match u32::from(c) {
                    code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
            c if u32::from(c) < 0x20 || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// `%2F` as `%2f`.
fn lower_hex(percent: &str) -> String {
    let mut left = 0;
    percent
        .chars()
        .map(|c| {
            left = if c == '%' { 2 } else { left };
            if c != '%' && left > 0 {
                left -= 1;
                return c.to_ascii_lowercase();
            }
            c
        })
        .collect()
}

/// The base64 of `bytes` without padding, and for each of the three positions at which they can
/// stand in a longer text, the characters that they alone decide.
fn base64(bytes: &[u8]) -> Vec<String> {
    let mut forms = vec![STANDARD_NO_PAD.encode(bytes)];
    for before in 0..3usize {
        let mut padded = Zeroizing::new(vec![0; before]);
        padded.extend_from_slice(bytes);
        let text = STANDARD_NO_PAD.encode(&*padded);
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        forms.extend(text.get(first..last).map(str::to_owned));
    }
    forms.retain(|form| form.len() >= SHORTEST_BASE64);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) -> bool {
        all(secret).iter().any(|f| f.as_slice() == form.as_bytes())
    }

    #[test]
    fn the_usual_encodings_are_there() {
        let secret = "a'b\"c\\d $é/\n";
        for form in [
            "a'b\\\"c\\\\d $é/\\n",
            "a'b\\\"c\\\\d $\\u00e9/\\n",
            "a\\'b\"c\\\\d $é/\\n",
            "a''b\"c\\d $é/\n",
            "a'\\''b\"c\\d $é/\n",
            "a'b\\\"c\\\\d \\$é/\n",
            "a%27b%22c%5Cd%20%24%C3%A9%2F%0A",
            "a%27b%22c%5cd%20%24%c3%a9%2f%0a",
            "a%27b%22c%5Cd+%24%C3%A9/%0A",
            "YSdiImNcZCAkw6kvCg",
        ] {
            assert!(has(secret, form), "{form}");
        }
    }

    #[test]
    fn base64_is_found_inside_a_longer_text() {
        // printf 'user:correcthorse' | base64, and with one byte more in front.
        for text in ["dXNlcjpjb3JyZWN0aG9yc2U=", "eHVzZXI6Y29ycmVjdGhvcnNl"] {
            let found = all("correcthorse")
                .iter()
                .any(|form| text.contains(std::str::from_utf8(form).unwrap()));
            assert!(found, "{text}");
        }
    }

    #[test]
    fn lines_of_a_key_are_found_by_themselves_unless_short() {
        let secret = "[client.admin]\n\tkey = AQBabcdef==\nx\n";
        assert!(has(secret, "key = AQBabcdef=="));
        assert!(!has(secret, "x"));
    }
}
