//! The words of a script for nft.

use std::ops::Range;

/// A word, a string with its quotes, or one of `{ } , = ;`. The end of a line is a `;`, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it says.
    pub text: String,
    /// Where it is.
    pub at: Range<usize>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is said of it.
    pub what: String,
    /// Where in the script.
    pub at: Range<usize>,
}

impl Token {
    /// Whether a statement ends here.
    pub fn ends(&self) -> bool {
        self.text == ";"
    }

    /// An error that is here.
    pub fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong {
            what: what.into(),
            at: self.at.clone(),
        }
    }

    /// A string without its quotes, or the word.
    pub fn unquoted(&self) -> &str {
        self.text.trim_matches('"')
    }
}

/// Divides a script. Comments are left out.
pub fn tokens(script: &str) -> Result<Vec<Token>, Wrong> {
    let bytes = script.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b' ' | b'\t' | b'\r' => continue,
            b'\\' if bytes.get(at) == Some(&b'\n') => {
                at += 1;
                continue;
            }
            b'#' => {
                at = start + script[start..].find('\n').unwrap_or(script.len() - start);
                continue;
            }
            b'"' => {
                let end = script[at..].find(['"', '\n']).map(|end| at + end);
                match end.filter(|end| bytes[*end] == b'"') {
                    Some(end) => at = end + 1,
                    None => {
                        return Err(Wrong {
                            what: "syntax error, unexpected junk".into(),
                            at: start..start + 1,
                        });
                    }
                }
            }
            b'{' | b'}' | b',' | b';' | b'\n' => {}
            b'=' if bytes.get(at) != Some(&b'=') => {}
            _ => {
                let ends = |b: &u8| b" \t\r\n{},;\"#".contains(b);
                let end = bytes[at..].iter().position(ends);
                at = end.map_or(bytes.len(), |end| at + end);
            }
        }
        let text = match bytes[start] {
            b'\n' => ";".to_owned(),
            _ => script[start..at].to_owned(),
        };
        tokens.push(Token {
            text,
            at: start..at,
        });
    }
    Ok(tokens)
}

/// Words as nft prints them: sets with spaces, other lists without.
pub fn join<'a>(tokens: impl Iterator<Item = &'a Token>) -> String {
    let mut out = String::new();
    let mut depth = 0;
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        let close = token.text == "," || (out.ends_with(',') && depth == 0);
        if !out.is_empty() && !close {
            out.push(' ');
        }
        out += &token.text;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_as_nft_prints_them() {
        let script =
            "tcp dport {22,80 } ct state established , related \\\n accept comment \"a  b\" # c";
        let joined = join(tokens(script).unwrap().iter());
        let expected = r#"tcp dport { 22, 80 } ct state established,related accept comment "a  b""#;
        assert_eq!(joined, expected);
        assert_eq!(tokens("log prefix \"x\ny\"").unwrap_err().at, 11..12);
    }
}
