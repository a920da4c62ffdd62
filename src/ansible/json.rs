//! JSON that Ansible reads back exactly, whichever of its parsers gets it.
//!
//! Ansible's loader tries JSON first and then YAML 1.1. Pure ASCII with every other character as a
//! `\u` escape means the same to both; PyYAML would otherwise refuse or change U+007F, U+0085 and
//! U+FFFE.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value, ser::Formatter};

/// A JSON object, the shape of every set of variables.
pub type Vars = Map<String, Value>;

/// Writes `value` as one line of ASCII JSON.
pub fn to_ascii(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    value
        .serialize(&mut serializer)
        .expect("a JSON value is always written to memory");
    String::from_utf8(bytes).expect("the formatter writes ASCII")
}

/// Marks every string in `value` as text that is never a template, even if it holds `{{`.
pub fn mark_unsafe(value: Value) -> Value {
    match value {
        Value::String(text) => unsafe_text(text),
        Value::Array(items) => items.into_iter().map(mark_unsafe).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, mark_unsafe(v))).collect(),
        other => other,
    }
}

/// `text` in the form that Ansible's JSON reader turns into an unsafe (never templated) string.
pub fn unsafe_text(text: String) -> Value {
    Value::Object(Map::from_iter([(
        "__ansible_unsafe".to_owned(),
        Value::String(text),
    )]))
}

/// Compact JSON, but with everything outside printable ASCII as `\uXXXX`.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut units = [0u16; 2];
        for c in fragment.chars() {
            if (' '..='~').contains(&c) {
                writer.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_ascii_and_reads_back() {
        let value = json!({"é\u{7f}\u{85}\u{fffe}": ["\u{1f600}\n\"\\", 1, true, null, 1.5]});
        let text = to_ascii(&value);
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn only_strings_are_marked_unsafe() {
        assert_eq!(
            mark_unsafe(json!({"a": ["{{ x }}", 1], "b": true})),
            json!({"a": [{"__ansible_unsafe": "{{ x }}"}, 1], "b": true})
        );
    }
}
