//! The plain values known before Ansible runs, for naming the host and the output.

use std::{collections::BTreeMap, fs, path::Path};

use secrecy::ExposeSecret;

use crate::ansible::{ExtraVars, json::Vars};

/// Variables with plain values, as text. What Ansible alone can know (an inventory, a template, an
/// encrypted value, a secret) is not among them.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<String, String>);

/// The longest variable file that is read for names, in bytes.
const LIMIT: u64 = 4 << 20;

impl Known {
    /// The values of `vars` (lowest precedence), then of each of `extra`.
    pub fn new(vars: &Vars, extra: &[ExtraVars]) -> Self {
        let mut known = Known::default();
        for (name, value) in vars {
            known.set(name, scalar_json(value));
        }
        for vars in extra {
            match vars {
                ExtraVars::Text(text) => known.read(text.expose_secret()),
                ExtraVars::File(path) => known.read(&content(path).unwrap_or_default()),
            }
        }
        known
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes the values of a YAML or JSON text; one that cannot be read is left to Ansible.
    fn read(&mut self, text: &str) {
        let Ok(map) = serde_yaml::from_str::<serde_yaml::Mapping>(text) else {
            return;
        };
        for (name, value) in map {
            if let Some(name) = name.as_str() {
                self.set(name, scalar_yaml(&value));
            }
        }
    }

    /// A value that is not plain still hides one of lower precedence.
    fn set(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.0.insert(name.to_owned(), value),
            None => self.0.remove(name),
        };
    }
}

fn content(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    // A pipe could be read only once, and that is for Ansible.
    (metadata.is_file() && metadata.len() <= LIMIT)
        .then(|| fs::read_to_string(path).ok())
        .flatten()
}

fn plain(text: String) -> Option<String> {
    (!text.contains("{{") && !text.contains("{%")).then_some(text)
}

fn scalar_json(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => plain(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Object(map) if map.len() == 1 => {
            unsafe_text(map.get("__ansible_unsafe")?.as_str()?)
        }
        _ => None,
    }
}

fn scalar_yaml(value: &serde_yaml::Value) -> Option<String> {
    match value {
        serde_yaml::Value::String(text) => plain(text.clone()),
        serde_yaml::Value::Number(number) => Some(number.to_string()),
        serde_yaml::Value::Mapping(map) if map.len() == 1 => {
            unsafe_text(map.get("__ansible_unsafe")?.as_str()?)
        }
        _ => None,
    }
}

/// Text that is not a template even where it looks like one.
fn unsafe_text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_values_win_and_only_plain_ones_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "a: file\nb: !vault x\nc: [1]\nd: 7\n").unwrap();
        let vars = json!({"a": "low", "b": "low", "c": "low", "e": "low", "f": "{{ x }}"});
        let known = Known::new(
            vars.as_object().unwrap(),
            &[
                ExtraVars::File(file.path().into()),
                ExtraVars::Text("{e: high}".into()),
                ExtraVars::data(Vars::from_iter([("g".to_owned(), "hcl".into())])),
                ExtraVars::File("/none".into()),
            ],
        );
        let get = |name| known.get(name);
        assert_eq!(
            (get("a"), get("d"), get("e")),
            (Some("file"), Some("7"), Some("high"))
        );
        assert_eq!((get("b"), get("c"), get("f")), (None, None, None));
        assert_eq!(get("g"), Some("hcl"));
    }
}
