//! What the sections of pichroot.yml and the command line are going to say.

use serde_json::Value;

use crate::secrets::source::check_name;

use super::later::{Later, Piece, ansible_name, jinja, pieces};

/// Why a secret cannot be called so.
const NO_NAME: &str =
    "a secret is called by letters, digits and _: choose such a name here and in the playbook";
/// Why a variable cannot have a second value.
const TWICE: &str =
    "another provisioner gives it another value: set it in the plays of each playbook";

/// What an image is made from, and what becomes of it. Texts may hold what is known only later.
#[derive(Debug, Default)]
pub struct Image {
    /// `image.source`.
    pub source: Option<String>,
    /// `image.checksum`.
    pub checksum: Option<String>,
    /// `image.new`.
    pub new: Option<Value>,
    /// `image.grow`.
    pub grow: Option<String>,
    /// `image.output`.
    pub output: Option<String>,
    /// `ansible.user`.
    pub user: Option<String>,
    /// `ansible.inventory`.
    pub inventory: Vec<String>,
    /// `ansible.args`; `None` before the first provisioner with a playbook.
    pub args: Option<Vec<String>>,
    /// `vars`, beside those of the template.
    pub vars: Vec<(String, Value)>,
    /// `secrets`: by the name of the variable.
    pub secrets: Vec<(String, Secret)>,
    /// The environment of commands in the image.
    pub environment: Vec<(String, String)>,
    /// The environment of pichroot, on the command line.
    pub command_environment: Vec<(String, String)>,
    /// Further words of the command line.
    pub command_words: Vec<String>,
    /// Commands to run before.
    pub before: Vec<String>,
    /// Variables that the template hands on as they are.
    pub handed_on: Vec<String>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In HashiCorp Vault: path and field.
    Vault(String, String),
    /// In the environment.
    Environment(String),
}

impl Image {
    /// A text for Ansible, with variables for secrets in it.
    pub fn in_ansible(&mut self, text: &str) -> Result<String, String> {
        let mut named = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => named += &text,
                Piece::Later(later) => {
                    let name = match &later {
                        Later::Variable(name) => {
                            self.handed_on.push(name.clone());
                            name.clone()
                        }
                        Later::Vault(path, field) => {
                            let secret = Secret::Vault(path.clone(), field.clone());
                            self.secret(&format!("{path}_{field}"), secret)
                        }
                        Later::Environment(variable) => {
                            self.secret(variable, Secret::Environment(variable.clone()))
                        }
                        Later::Unknown(why) => return Err(why.clone()),
                    };
                    named += &Later::Variable(name).mark();
                }
            }
        }
        jinja(&named)
    }

    /// The same for each text in a value.
    pub fn in_ansible_deep(&mut self, value: Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.in_ansible(&text)?.into(),
            Value::Array(values) => {
                let values = values.into_iter().map(|value| self.in_ansible_deep(value));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let map = map
                    .into_iter()
                    .map(|(key, value)| Ok((key, self.in_ansible_deep(value)?)));
                Value::Object(map.collect::<Result<_, String>>()?)
            }
            other => other,
        })
    }

    /// Has the variable `name` in `vars`.
    ///
    /// # Errors
    /// Where it is something else already.
    pub fn set_var(&mut self, name: &str, value: Value) -> Result<(), String> {
        let known = self.vars.iter().find(|(known, _)| known == name);
        let same = known.map(|(_, known)| *known == value);
        if same == Some(false) || self.secrets.iter().any(|(known, _)| known == name) {
            return Err(TWICE.into());
        }
        if same.is_none() {
            self.vars.push((name.to_owned(), value));
        }
        Ok(())
    }

    /// Has the variable `name` in `secrets`.
    ///
    /// # Errors
    /// Where it is something else already, or no secret can be called so.
    pub fn set_secret(&mut self, name: &str, secret: Secret) -> Result<(), String> {
        check_name(name).map_err(|_| NO_NAME)?;
        let known = self.secrets.iter().find(|(known, _)| known == name);
        let same = known.map(|(_, known)| *known == secret);
        if same == Some(false) || self.vars.iter().any(|(known, _)| known == name) {
            return Err(TWICE.into());
        }
        if same.is_none() {
            self.secrets.push((name.to_owned(), secret));
        }
        Ok(())
    }

    /// The name of the variable with this secret.
    fn secret(&mut self, text: &str, secret: Secret) -> String {
        if let Some((name, _)) = self.secrets.iter().find(|(_, known)| *known == secret) {
            return name.clone();
        }
        let mut name = format!("secret_{}", ansible_name(text).trim_start_matches('_'));
        while self.secrets.iter().any(|(known, _)| *known == name) {
            name.push('_');
        }
        self.secrets.push((name.clone(), secret));
        name
    }
}
