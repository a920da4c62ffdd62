//! What is known only when an image is made: it stands in texts between two characters that no template has.

use crate::hex::hex;

/// Something that is known only later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Later {
    /// The value of a variable.
    Variable(String),
    /// A field of a secret in HashiCorp Vault.
    Vault(String, String),
    /// A variable of the environment.
    Environment(String),
    /// What cannot be known here: why.
    Unknown(String),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// What is to be put there.
    Later(Later),
}

const START: char = '\u{f0000}';
const BETWEEN: char = '\u{f0001}';
const END: char = '\u{f0002}';

/// Whether a text holds what [`Later::mark`] makes.
pub fn is_marked(text: &str) -> bool {
    text.contains([START, BETWEEN, END])
}

impl Later {
    /// What stands for it in a text: one word, whatever is in it.
    pub fn mark(&self) -> String {
        let (kind, parts) = match self {
            Later::Variable(name) => ('v', [name.as_str(), ""]),
            Later::Vault(path, field) => ('s', [path.as_str(), field]),
            Later::Environment(name) => ('e', [name.as_str(), ""]),
            Later::Unknown(why) => ('u', [why.as_str(), ""]),
        };
        let [one, two] = parts.map(|part| hex(part.as_bytes()));
        format!("{START}{kind}{one}{BETWEEN}{two}{END}")
    }

    fn unmarked(mark: &str) -> Option<Self> {
        let mut chars = mark.chars();
        let kind = chars.next()?;
        let (one, two) = chars.as_str().split_once(BETWEEN)?;
        let (one, two) = (unhex(one)?, unhex(two)?);
        Some(match kind {
            'v' => Later::Variable(one),
            's' => Later::Vault(one, two),
            'e' => Later::Environment(one),
            _ => Later::Unknown(one),
        })
    }
}

/// The text of these digits.
fn unhex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

/// A text in its parts.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        let Some((mark, behind)) = after.split_once(END) else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.extend(Later::unmarked(mark).map(Piece::Later));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// The text with what `put` makes of each part that is known later; or why that cannot be.
pub fn fill(text: &str, put: impl Fn(&Later) -> Result<String, String>) -> Result<String, String> {
    let filled = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => Ok(text),
        Piece::Later(later) => put(&later),
    });
    filled.collect()
}

/// A text for Ansible: variables are templates, and nothing else in it is one.
pub fn jinja(text: &str) -> Result<String, String> {
    let escaped = |text: String| match ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        true => format!("{{% raw %}}{text}{{% endraw %}}"),
        false => text,
    };
    let parts = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => Ok(escaped(text)),
        Piece::Later(Later::Variable(name)) => Ok(format!("{{{{ {} }}}}", ansible_name(&name))),
        Piece::Later(other) => Err(other.to_string()),
    });
    parts.collect()
}

/// A name of Packer's, which may have hyphens, as Ansible can have it.
pub fn ansible_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(fits).collect();
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

/// A text as people read it: variables by their names.
pub fn shown(text: &str) -> String {
    let pieces = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Later(Later::Variable(name)) => format!("${{{name}}}"),
        Piece::Later(Later::Vault(path, field)) => format!("${{{path}#{field}}}"),
        Piece::Later(Later::Environment(name)) => format!("${name}"),
        Piece::Later(Later::Unknown(_)) => "${...}".to_owned(),
    });
    pieces.collect()
}

impl std::fmt::Display for Later {
    /// Why it cannot stand where only text can.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Later::Variable(name) => {
                write!(f, "{name} has no value: give it by --var {name}=VALUE")
            }
            Later::Vault(path, field) => {
                write!(f, "the secret {path}#{field} is read in a run only")
            }
            Later::Environment(name) => write!(
                f,
                "the variable {name} of the environment is read in a run only"
            ),
            Later::Unknown(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_found_again() {
        let all = [
            Later::Variable("hn_hostname".into()),
            Later::Vault("secret/x".into(), "key".into()),
            Later::Environment("HOME".into()),
            Later::Unknown("uuidv4() is known to Packer alone".into()),
        ];
        let text: String = all
            .iter()
            .map(|later| format!("a{}", later.mark()))
            .collect();
        let found = pieces(&text);
        assert_eq!(found.len(), 8);
        for (later, found) in all.iter().zip(found.chunks(2)) {
            assert_eq!(
                found,
                [Piece::Text("a".into()), Piece::Later(later.clone())]
            );
        }
        assert_eq!(pieces("plain"), [Piece::Text("plain".into())]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn only_variables_are_templates_for_ansible() {
        let name = Later::Variable("n".into()).mark();
        assert_eq!(
            jinja(&format!("echo {name} ${{#x}}")).unwrap(),
            "echo {{ n }}{% raw %} ${#x}{% endraw %}"
        );
        let mark = Later::Unknown("timestamp() is known to Packer alone".into()).mark();
        assert!(jinja(&mark).is_err());
        assert!(!mark.contains(' '));
    }
}
