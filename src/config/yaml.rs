//! YAML values of pichroot.yml as Ansible's JSON.

use serde_json::{Map, Value as Json};
use serde_yaml::Value as Yaml;

/// `value` as JSON; `!vault` and `!unsafe` become what Ansible's JSON reader understands.
///
/// # Errors
/// What Ansible's variables cannot be: other tags, keys that are not text, infinities. The text
/// names only the kind of thing, never a value.
pub fn to_json(value: Yaml) -> Result<Json, &'static str> {
    Ok(match value {
        Yaml::Null => Json::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(n), _, _) => n.into(),
            (_, Some(n), _) => n.into(),
            (_, _, Some(n)) if n.is_finite() => n.into(),
            _ => return Err("a number that is not finite"),
        },
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => items
            .into_iter()
            .map(to_json)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Yaml::Mapping(map) => {
            let mut object = Map::new();
            for (key, value) in map {
                let Yaml::String(key) = key else {
                    return Err("a key that is not text; put it in quotes");
                };
                object.insert(key, to_json(value)?);
            }
            object.into()
        }
        Yaml::Tagged(tagged) => {
            let key = match tagged.tag.to_string().as_str() {
                "!vault" => "__ansible_vault",
                "!unsafe" => "__ansible_unsafe",
                _ => return Err("a tag other than !vault and !unsafe"),
            };
            let Yaml::String(text) = tagged.value else {
                return Err("a tag on something that is not text");
            };
            Json::Object(Map::from_iter([(key.to_owned(), text.into())]))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn convert(text: &str) -> Result<Json, &'static str> {
        to_json(serde_yaml::from_str(text).unwrap())
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(
            convert("{a: true, b: no, c: 22:22, d: 0755, e: -3, f: [1.5, null]}").unwrap(),
            json!({"a": true, "b": "no", "c": "22:22", "d": "0755", "e": -3, "f": [1.5, null]})
        );
    }

    #[test]
    fn ansibles_tags_are_kept_and_others_refused() {
        assert_eq!(
            convert("a: !vault abc\nb: !unsafe '{{ x }}'").unwrap(),
            json!({"a": {"__ansible_vault": "abc"}, "b": {"__ansible_unsafe": "{{ x }}"}})
        );
        for text in ["a: !other x", "1: x", "a: .inf", "a: !vault [x]"] {
            assert!(convert(text).is_err(), "{text}");
        }
    }
}
