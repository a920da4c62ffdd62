//! `NAME=SOURCE`, as `--secret` takes it.

use std::{fmt, path::PathBuf};

use crate::error::{Error, Result};

/// Where one secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `env:VAR`: a variable of the caller's environment, as it is.
    Env(String),
    /// `file:PATH`: a file of at most 1 MiB of UTF-8, without the last line's end.
    File(PathBuf),
    /// `cmd:COMMAND`: what `sh -c COMMAND` prints, without the last line's end.
    Command(String),
    /// `vault:PATH#FIELD`: a field of a secret in HashiCorp Vault's KV engine, version 1 or 2.
    Vault {
        /// The path as the `vault kv get` command takes it, such as `secret/ceph`.
        path: String,
        /// The field's name.
        field: String,
    },
    /// `prompt`: typed on the terminal, without echo.
    Prompt,
}

/// What every wrong source gets as its hint.
const FORMS: &str = "a source is env:VAR, file:PATH, cmd:COMMAND, vault:PATH#FIELD or prompt";

impl Source {
    /// Reads `SOURCE`. `name` is only for the error, which does not repeat the text: it may be the
    /// secret itself, given by mistake.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when it is none of the forms.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::usage(format!("secret {name}: {what}")).hint(FORMS);
        if text == "prompt" {
            return Ok(Source::Prompt);
        }
        let (kind, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong("its source is of no known form"))?;
        if rest.is_empty() {
            return Err(wrong("its source is incomplete"));
        }
        match kind {
            "env" => Ok(Source::Env(rest.into())),
            "file" => Ok(Source::File(rest.into())),
            "cmd" => Ok(Source::Command(rest.into())),
            "vault" => match rest.split_once('#') {
                Some((path, field)) if !path.is_empty() && !field.is_empty() => Ok(Source::Vault {
                    path: path.trim_matches('/').into(),
                    field: field.into(),
                }),
                _ => Err(wrong("a Vault source needs a path and a field")),
            },
            _ => Err(wrong("its source is of no known form")),
        }
    }

    /// Reads `NAME=SOURCE`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when there is no name that Ansible takes, or no source.
    pub fn parse_assignment(text: &str) -> Result<(String, Self)> {
        let (name, source) = text
            .split_once('=')
            .ok_or_else(|| Error::usage("--secret without NAME=").hint(FORMS))?;
        check_name(name)?;
        Ok((name.to_owned(), Source::parse(name, source)?))
    }
}

/// Checks that `name` can be an Ansible variable: letters, digits and `_`, not beginning with a digit.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when it cannot.
pub fn check_name(name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Ok(());
    }
    Err(Error::usage("the name of a secret is not a variable name")
        .hint("use letters, digits and _, not beginning with a digit"))
}

impl fmt::Display for Source {
    /// Where it is, without what a command line may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Env(name) => write!(f, "environment variable {name}"),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Command(_) => f.write_str("its command"),
            Source::Vault { path, field } => write!(f, "Vault, {path}#{field}"),
            Source::Prompt => f.write_str("the terminal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let parse = |text| Source::parse_assignment(text).unwrap().1;
        assert_eq!(parse("a=env:B"), Source::Env("B".into()));
        assert_eq!(parse("a=file:/x=y"), Source::File("/x=y".into()));
        assert_eq!(parse("a=cmd:pass x:y"), Source::Command("pass x:y".into()));
        assert_eq!(parse("a=prompt"), Source::Prompt);
        let (path, field) = ("secret/cephbar".into(), "key".into());
        assert_eq!(
            parse("a=vault:/secret/cephbar#key"),
            Source::Vault { path, field }
        );
    }

    #[test]
    fn a_secret_given_in_place_of_its_source_is_not_repeated() {
        for text in [
            "pw=hunter2",
            "pw=hunter2:x",
            "pw=env:",
            "hunter2",
            "hunter2-=env:X",
            "pw=vault:hunter2",
        ] {
            let error = Source::parse_assignment(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.hint_text().is_some());
        }
    }
}
