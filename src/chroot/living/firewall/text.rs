//! Words of rules, as files of rules have them.

/// A line's words, as iptables-restore divides it: `"` keeps words together, `\` takes the next letter as it is.
pub fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quoted => word.get_or_insert_default().extend(letters.next()),
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' | '\n' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quoted {
        return Err("Quotation mark not closed");
    }
    words.extend(word);
    Ok(words)
}

/// A text as `iptables-save` writes it: in quotes unless it is one plain word.
pub fn saved(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => always_quoted(text),
    }
}

/// A text in quotes.
pub fn always_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | '\'') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted + "\""
}

/// What was meant by a text as [`saved`] writes it.
pub fn meant(saved: &str) -> String {
    let word = words(saved).ok().and_then(|words| words.into_iter().next());
    word.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        let line = r#"-A INPUT -m comment --comment "it\"s \\ x" -j  LOG "" a"b c"d"#;
        let expected = [
            "-A",
            "INPUT",
            "-m",
            "comment",
            "--comment",
            r#"it"s \ x"#,
            "-j",
            "LOG",
            "",
            "ab cd",
        ];
        assert_eq!(words(line).unwrap(), expected);
        assert!(words("a \"b").is_err());
    }

    proptest! {
        #[test]
        fn a_saved_text_is_read_again(text in "[ -~]{1,20}") {
            prop_assert_eq!(words(&saved(&text)).unwrap(), vec![text.clone()]);
            prop_assert_eq!(meant(&saved(&text)), text);
        }
    }
}
