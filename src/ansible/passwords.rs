//! The passwords that ansible-playbook would ask for in the midst of a run: they are asked for before it, and reach
//! Ansible as files.

use std::{ffi::OsString, path::Path};

use secrecy::{ExposeSecret, SecretString};

use super::ansible_cfg::{Env, setting};
use crate::sys::private_files::PrivateFiles;

/// A password to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `-J`, or `LABEL@prompt` of `--vault-id`.
    Vault(Option<String>),
    /// `-K`.
    Become,
}

/// Questions, with their answers.
#[derive(Debug, Default)]
pub struct Passwords(Vec<(Question, SecretString)>);

/// The settings that ask without an option, and the question each asks.
const SETTINGS: [(&str, &str, &str, Question); 2] = [
    (
        "ANSIBLE_ASK_VAULT_PASS",
        "defaults",
        "ask_vault_pass",
        Question::Vault(None),
    ),
    (
        "ANSIBLE_BECOME_ASK_PASS",
        "privilege_escalation",
        "become_ask_pass",
        Question::Become,
    ),
];

impl Question {
    /// What the terminal shows, as ansible-playbook would.
    pub fn prompt(&self) -> String {
        match self {
            Question::Vault(None) => "Vault password".into(),
            Question::Vault(Some(label)) => format!("Vault password ({label})"),
            Question::Become => "BECOME password".into(),
        }
    }

    /// The question that the word of an option asks.
    fn of(word: &OsString, before: Option<&OsString>) -> Option<Self> {
        let word = word.to_str()?;
        let separate = before.is_some_and(|before| before == "--vault-id");
        let id = word
            .strip_prefix("--vault-id=")
            .or(separate.then_some(word));
        if let Some(id) = id {
            let label = id.strip_suffix("prompt")?;
            return match label.strip_suffix('@') {
                Some(label) => Some(Question::Vault(Some(label.to_owned()))),
                None if label.is_empty() => Some(Question::Vault(None)),
                None => None,
            };
        }
        match word {
            "-J" | "--ask-vault-pass" | "--ask-vault-password" => Some(Question::Vault(None)),
            "-K" | "--ask-become-pass" => Some(Question::Become),
            _ => None,
        }
    }
}

/// What ansible-playbook would ask with these arguments and settings.
pub fn questions(arguments: &[OsString], env: &Env, cwd: &Path) -> Vec<Question> {
    let mut all = Vec::new();
    for (at, word) in arguments.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &arguments[at]);
        all.extend(Question::of(word, before));
    }
    for (variable, section, key, question) in SETTINGS {
        let value = setting(env, cwd, variable, section, key);
        let on = |value: &str| ["1", "true", "yes", "on", "y", "t"].contains(&value);
        if value.is_some_and(|(value, _)| on(&value.to_ascii_lowercase())) {
            all.push(question);
        }
    }
    let mut unique = Vec::new();
    for question in all {
        if !unique.contains(&question) {
            unique.push(question);
        }
    }
    unique
}

impl Passwords {
    /// Takes an answer.
    pub fn add(&mut self, question: Question, answer: SecretString) {
        self.0.push((question, answer));
    }

    /// Adds the files to `files`. No password needs none.
    pub fn add_to(&self, files: &mut PrivateFiles) {
        for (number, (_, answer)) in self.0.iter().enumerate() {
            if !answer.expose_secret().is_empty() {
                files.add(file(number), answer.expose_secret());
            }
        }
    }

    /// `given`, with the files in place of the questions, once they are in `run_folder`.
    pub fn arguments(&self, given: &[OsString], run_folder: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        for (at, word) in given.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| &given[at]);
            let question = Question::of(word, before);
            match question.filter(|asked| self.0.iter().any(|(one, _)| one == asked)) {
                // Its option was a word of its own.
                Some(_) if before.is_some_and(|before| before == "--vault-id") => {
                    words.pop();
                }
                Some(_) => {}
                None => words.push(word.clone()),
            }
        }
        for (number, (question, answer)) in self.0.iter().enumerate() {
            if answer.expose_secret().is_empty() {
                continue;
            }
            let path = run_folder.join(file(number));
            let mut word = OsString::from(match question {
                Question::Vault(None) => "--vault-password-file=".to_owned(),
                Question::Vault(Some(label)) => format!("--vault-id={label}@"),
                Question::Become => "--become-password-file=".to_owned(),
            });
            word.push(path);
            words.push(word);
        }
        words
    }

    /// What keeps Ansible from asking again because of a setting.
    pub fn environment(&self) -> impl Iterator<Item = &'static str> {
        let asked = |question: &Question| self.0.iter().any(|(one, _)| one == question);
        let answered = SETTINGS
            .iter()
            .filter(move |(.., question)| asked(question));
        answered.map(|(variable, ..)| *variable)
    }
}

fn file(number: usize) -> String {
    format!("passwords/{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_the_place_of_questions() {
        let given: Vec<OsString> = [
            "-K",
            "--ask-vault-pass",
            "--vault-id=a@prompt",
            "--vault-id",
            "b@prompt",
            "--vault-id=c@x",
            "-D",
        ]
        .map(Into::into)
        .into();
        let asked = questions(&given, &Env::new(), Path::new("/none"));
        let vault = |label: &str| Question::Vault(Some(label.into()));
        assert_eq!(
            asked,
            [
                Question::Become,
                Question::Vault(None),
                vault("a"),
                vault("b")
            ]
        );
        let mut passwords = Passwords::default();
        assert_eq!(passwords.arguments(&given, Path::new("/r")), given);
        for (number, question) in asked.into_iter().enumerate() {
            // Nothing is typed where sudo wants no password.
            let answer = if number == 0 { "" } else { "hunter2" };
            passwords.add(question, answer.into());
        }
        assert_eq!(
            passwords.arguments(&given, Path::new("/r")),
            [
                "--vault-id=c@x",
                "-D",
                "--vault-password-file=/r/passwords/1",
                "--vault-id=a@/r/passwords/2",
                "--vault-id=b@/r/passwords/3",
            ]
        );
        let mut files = PrivateFiles::default();
        passwords.add_to(&mut files);
        assert_eq!(files.0.len(), 3);
        assert_eq!(passwords.environment().count(), 2);
    }

    #[test]
    fn settings_ask_too() {
        let env = Env::from([("ANSIBLE_BECOME_ASK_PASS".into(), "True".into())]);
        assert_eq!(questions(&[], &env, Path::new("/none")), [Question::Become]);
    }
}
