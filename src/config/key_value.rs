//! `-e 'a=1 b="two words"'`, split as Ansible splits it.
//!
//! After ansible-core's `parse_kv`: words end at blanks outside quotes and outside `{{ }}`, `{% %}`
//! and `{# #}`; one pair of quotes around a value is removed; `\n`, `\t`, `\\`, `\xHH`, `\uHHHH`
//! and the like are characters. All values are strings.

use crate::{
    ansible::json::Vars,
    error::{Error, Result},
};

/// Reads `text`. Neither it nor a part of it is ever in the error: it may hold a password.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when a word is not NAME=VALUE, or quotes or braces do not match.
pub fn parse(text: &str) -> Result<Vars> {
    let mut vars = Vars::new();
    for word in split(text).ok_or_else(|| wrong("quotes or braces do not match"))? {
        let word = unescape(&word);
        let (name, value) = word
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| wrong("a word is not NAME=VALUE"))?;
        vars.insert(name.trim().to_owned(), unquote(value.trim()).into());
    }
    if vars.is_empty() {
        return Err(wrong("there is no NAME=VALUE"));
    }
    Ok(vars)
}

fn wrong(what: &str) -> Error {
    Error::usage(format!("-e, --extra-vars: {what}"))
        .hint("write NAME=VALUE, NAME='two words', a JSON or YAML object, or @FILE")
}

/// The words of `text`; `None` where quotes or braces do not match.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    // How many {{ }}, {% %} and {# #} are open.
    let mut depth = [0usize; 3];
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match (c, quote) {
            ('"' | '\'', None) if before != '\\' => quote = Some(c),
            (_, Some(open)) if c == open && before != '\\' => quote = None,
            _ => {}
        }
        if let Some((kind, opens)) = brace(c, next) {
            depth[kind] = if opens {
                depth[kind] + 1
            } else {
                depth[kind].saturating_sub(1)
            };
            if kind == 0 {
                // One brace of a pair is not the beginning of another pair.
                word.push(c);
                chars.next();
            }
        }
        if matches!(c, ' ' | '\n') && quote.is_none() && depth == [0; 3] {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    (quote.is_none() && depth == [0; 3]).then_some(words)
}

/// Which kind of template mark begins with `c`, and whether it opens.
fn brace(c: char, next: Option<char>) -> Option<(usize, bool)> {
    match (c, next?) {
        ('{', '{') => Some((0, true)),
        ('}', '}') => Some((0, false)),
        ('{', '%') => Some((1, true)),
        ('%', '}') => Some((1, false)),
        ('{', '#') => Some((2, true)),
        ('#', '}') => Some((2, false)),
        _ => None,
    }
}

/// Python's escape sequences; what is none stays as it is.
fn unescape(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (character, used) = match after.chars().next() {
            Some(c @ ('\\' | '\'' | '"')) => (Some(c), 1),
            Some('a') => (Some('\u{7}'), 1),
            Some('b') => (Some('\u{8}'), 1),
            Some('f') => (Some('\u{c}'), 1),
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some('v') => (Some('\u{b}'), 1),
            Some('x') => (hex(after, 2), 3),
            Some('u') => (hex(after, 4), 5),
            Some('U') => (hex(after, 8), 9),
            _ => (None, 0),
        };
        match character {
            Some(character) => {
                out.push(character);
                rest = &after[used..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character of `digits` hexadecimal digits after the first letter.
fn hex(after: &str, digits: usize) -> Option<char> {
    let text = after.get(1..=digits)?;
    let plain = text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok().and_then(char::from_u32))?
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote))
            && !inner.ends_with('\\')
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn reads(text: &str, vars: serde_json::Value) {
        assert_eq!(
            serde_json::Value::from(parse(text).unwrap()),
            vars,
            "{text}"
        );
    }

    #[test]
    fn words_quotes_templates_and_escapes() {
        reads("a=1  b=yes", json!({"a": "1", "b": "yes"}));
        reads("a=\"b  c\" d='e f'", json!({"a": "b  c", "d": "e f"}));
        reads("a={{ b | c }} d=e", json!({"a": "{{ b | c }}", "d": "e"}));
        reads(
            "a={% if b %}c{% endif %}",
            json!({"a": "{% if b %}c{% endif %}"}),
        );
        reads("a=x=y", json!({"a": "x=y"}));
        reads(r"a=b\tc\u00e9\q", json!({"a": "b\tcé\\q"}));
        reads("a=", json!({"a": ""}));
        reads("a='it''s'", json!({"a": "it''s"}));
        reads("a=b\nc=d", json!({"a": "b", "c": "d"}));
        reads("a=é'x y'", json!({"a": "é'x y'"}));
        reads("pw=b}c", json!({"pw": "b}c"}));
    }

    #[test]
    fn what_is_malformed_is_never_repeated() {
        for text in [
            "hunter2",
            "a=hunter2 hunter2",
            "a='hunter2",
            "a={{ hunter2",
            "=hunter2",
            " ",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
            assert!(error.hint_text().is_some());
        }
    }
}
