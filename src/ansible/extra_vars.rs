//! Extra variables in the forms ansible-playbook takes by `-e @FILE`.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::json::{self, Vars};

/// One `-e @FILE` argument: a file of the user's, or text that becomes a file of the run.
#[derive(Debug, Clone)]
pub enum ExtraVars {
    /// A YAML or JSON file (possibly ansible-vault encrypted), by absolute path; Ansible reads it.
    File(PathBuf),
    /// A YAML or JSON mapping. Kept as a secret: people do pass passwords by `-e`.
    Text(SecretString),
}

impl ExtraVars {
    /// Variables whose strings Ansible treats as templates, as it does with `-e k=v`.
    pub fn templates(vars: Vars) -> Self {
        ExtraVars::Text(json::to_ascii(&vars.into()).into())
    }

    /// Variables whose strings are data: `{{` in them stays as it is.
    pub fn data(vars: Vars) -> Self {
        ExtraVars::Text(json::to_ascii(&json::mark_unsafe(vars.into())).into())
    }

    /// The resolved secrets, by variable name; never templates.
    pub fn secrets(secrets: &[(String, SecretString)]) -> Self {
        let vars = secrets
            .iter()
            .map(|(name, value)| (name.clone(), value.expose_secret().into()))
            .collect();
        ExtraVars::data(vars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_templates_and_never_shown() {
        let vars = ExtraVars::secrets(&[("key".into(), "{{ x }}é".into())]);
        assert!(!format!("{vars:?}").contains("{{ x }}"));
        let ExtraVars::Text(text) = vars else {
            panic!("text expected")
        };
        assert_eq!(
            text.expose_secret(),
            r#"{"key":{"__ansible_unsafe":"{{ x }}\u00e9"}}"#
        );
    }
}
