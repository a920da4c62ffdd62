//! Takes secrets out of a stream of bytes.

use std::cmp::Reverse;

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::encodings::{self, Form};

/// What stands in place of a secret.
pub const MASK: &[u8] = b"********";

/// Secrets shorter than this, in bytes, are not looked for: taking every `no` or `123` out of the
/// output would make it useless, and would itself tell the secret.
pub const SHORTEST: usize = 4;

/// Whether `secret` is too short to be kept out of output; the user should be told.
pub fn is_too_short(secret: &SecretString) -> bool {
    secret.expose_secret().len() < SHORTEST
}

/// Replaces secrets, in all their [`encodings`], by [`MASK`], in a stream that comes in pieces.
///
/// Every byte that is part of any occurrence is masked, also where occurrences overlap. What cannot
/// be the beginning of a secret is passed on at once, so a prompt without a line end appears; at
/// most the longest form of a secret, less one byte, is held back.
#[derive(Debug)]
pub struct Redactor {
    /// All forms, longest first, by their first byte.
    forms: Vec<Vec<Form>>,
    /// Whether a form begins with these two bytes (each has at least [`SHORTEST`]).
    pairs: Vec<bool>,
    /// Bytes not yet passed on.
    held: Zeroizing<Vec<u8>>,
    /// How many bytes from the beginning of `held` belong to an occurrence already masked.
    masked: usize,
}

impl Redactor {
    /// A redactor for `secrets`; those shorter than [`SHORTEST`] are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<Vec<Form>> = vec![Vec::new(); 256];
        for secret in secrets.into_iter().filter(|s| !is_too_short(s)) {
            for form in encodings::all(secret.expose_secret()) {
                forms[usize::from(form[0])].push(form);
            }
        }
        for bucket in &mut forms {
            bucket.sort_unstable_by_key(|form| Reverse(form.len()));
        }
        let mut pairs = vec![false; 1 << 16];
        for form in forms.iter().flatten() {
            pairs[pair(form[0], form[1])] = true;
        }
        Redactor {
            forms,
            pairs,
            held: Zeroizing::default(),
            masked: 0,
        }
    }

    /// Takes the next piece of the stream and appends to `out` what can be shown.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        self.scan(out, false);
    }

    /// The stream has ended: appends the rest.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.scan(out, true);
    }

    fn scan(&mut self, out: &mut Vec<u8>, end: bool) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        let mut masked = self.masked;
        while at < held.len() {
            if at >= masked {
                let next = self.next_candidate(&held, at);
                out.extend_from_slice(&held[at..next]);
                at = next;
                if at == held.len() {
                    break;
                }
            }
            let rest = &held[at..];
            match self.longest_at(rest, end) {
                Found::Undecided => break,
                Found::Length(length) => {
                    if at >= masked {
                        out.extend_from_slice(MASK);
                    }
                    masked = masked.max(at + length);
                }
                Found::Nothing if at >= masked => out.push(held[at]),
                Found::Nothing => {}
            }
            at += 1;
        }
        self.masked = masked.saturating_sub(at);
        self.held.extend_from_slice(&held[at..]);
    }

    /// The next position from `at` where a form may begin, else the end.
    fn next_candidate(&self, held: &[u8], at: usize) -> usize {
        let pairs = held[at..].windows(2);
        let found = pairs.into_iter().position(|w| self.pairs[pair(w[0], w[1])]);
        match (found, held.last()) {
            (Some(plain), _) => at + plain,
            (None, Some(last)) if !self.forms[usize::from(*last)].is_empty() => held.len() - 1,
            (None, _) => held.len(),
        }
    }

    /// The longest form that `rest` begins with, unless more bytes could make it a longer one.
    fn longest_at(&self, rest: &[u8], end: bool) -> Found {
        for form in &self.forms[usize::from(rest[0])] {
            if rest.starts_with(form) {
                return Found::Length(form.len());
            }
            if !end && form.starts_with(rest) {
                return Found::Undecided;
            }
        }
        Found::Nothing
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

enum Found {
    Nothing,
    Length(usize),
    Undecided,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redact(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        let secrets: Vec<SecretString> = secrets.iter().map(|s| (*s).into()).collect();
        let mut redactor = Redactor::new(&secrets);
        let mut out = Vec::new();
        for piece in pieces {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        out
    }

    #[test]
    fn overlapping_secrets_leave_nothing() {
        assert_eq!(redact(&["abcd", "cdefgh"], &[b"<abcdefgh>"]), b"<********>");
        assert_eq!(
            redact(&["abcd", "abcdefgh"], &[b"abcde", b"fgh."]),
            b"********."
        );
        assert_eq!(
            redact(&["abcd", "abcdefgh"], &[b"abcde", b"fg."]),
            b"********efg."
        );
        assert_eq!(redact(&["abcd"], &[b"abcdabcd"]), b"****************");
    }

    #[test]
    fn a_prompt_appears_at_once() {
        let mut redactor = Redactor::new(&["s3cret".into()]);
        let mut out = Vec::new();
        redactor.push(b"Vault password: ", &mut out);
        assert_eq!(out, b"Vault password: ");
        redactor.push(b"is s3c", &mut out);
        assert_eq!(out, b"Vault password: is ");
        redactor.push(b"ond", &mut out);
        assert_eq!(out, b"Vault password: is s3cond");
    }

    #[test]
    fn encoded_secrets_are_found_and_short_ones_are_not() {
        let text = br#"{"pw": "a\"b\nc", "n": "123"}"#;
        let shown = redact(&["a\"b\nc", "123"], &[text]);
        assert_eq!(shown, br#"{"pw": "********", "n": "123"}"#);
        assert!(is_too_short(&"123".into()));
    }

    #[test]
    fn an_endless_repetition_is_not_held_back() {
        let mut redactor = Redactor::new(&["aaaa".into()]);
        let mut out = Vec::new();
        for _ in 0..100 {
            redactor.push(&[b'a'; 100], &mut out);
            assert!(redactor.held.len() < 4);
        }
        redactor.finish(&mut out);
        assert_eq!(out, MASK);
    }

    proptest! {
        /// A small alphabet makes overlaps and partial matches frequent.
        #[test]
        fn no_secret_survives_and_the_chunking_does_not_matter(
            secrets in prop::collection::vec("[ab'\n]{4,9}", 1..4),
            text in "[ab'\n]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let names: Vec<_> = secrets.iter().map(String::as_str).collect();
            let whole = redact(&names, &[text.as_bytes()]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
            prop_assert_eq!(&redact(&names, &pieces), &whole);
            let shown = String::from_utf8(whole).unwrap();
            for secret in &secrets {
                prop_assert!(!shown.contains(secret.as_str()));
            }
        }

        #[test]
        fn other_text_is_unchanged(text in "[c-z \n]{0,200}") {
            prop_assert_eq!(redact(&["a-secret", "b-secret"], &[text.as_bytes()]), text.as_bytes());
        }

        #[test]
        fn every_occurrence_in_other_text_is_masked(
            secret in "[A-Z]{5,20}", parts in prop::collection::vec("[a-z ]{0,9}", 1..6),
        ) {
            let text = parts.join(&secret);
            let shown = redact(&[&secret], &[text.as_bytes()]);
            prop_assert_eq!(shown, parts.join("********").into_bytes());
        }
    }
}
