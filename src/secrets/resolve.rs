//! Fetches the values of secrets.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    path::Path,
};

use secrecy::{SecretString, zeroize::Zeroize};

use super::{
    prompt,
    source::Source,
    variables::{let_through, under_sudo},
    vault,
};
use crate::{
    error::{Context, Error, Kind, Result},
    nearest,
    sys::command,
};

/// The longest secret, in bytes.
const LIMIT: u64 = 1 << 20;
/// How much of a failed command's messages goes into the error, in bytes.
const TAIL: usize = 512;

/// A secret that has not been fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The Ansible variable it becomes.
    pub name: String,
    /// Where it is.
    pub source: Source,
}

/// Fetches all of `secrets`, in their order, by name. `env` is the caller's environment.
///
/// # Errors
/// The first secret that cannot be had, with its name and where it was looked for;
/// [`Kind::Usage`], or [`Kind::Host`] when Vault cannot be reached, or the signal's kind when a
/// prompt is interrupted.
pub fn resolve(
    secrets: &[Secret],
    env: &BTreeMap<OsString, OsString>,
) -> Result<Vec<(String, SecretString)>> {
    let mut vault = None;
    let mut values = Vec::with_capacity(secrets.len());
    for Secret { name, source } in secrets {
        let value = match source {
            Source::Env(variable) => from_env(name, variable, env)?,
            Source::File(path) => from_file(name, path)?,
            Source::Command(line) => from_command(name, line, env)?,
            Source::Prompt => text(name, source, prompt::ask(name)?)?,
            Source::Vault { path, field } => {
                if vault.is_none() {
                    vault = Some(vault::Client::new(&vault::Settings::from_env(env)?)?);
                }
                let client = vault.as_ref().expect("made above");
                client
                    .read(name, path, field)
                    .map_err(|error| no_address(error, env))?
            }
        };
        values.push((name.clone(), value));
    }
    Ok(values)
}

/// Without VAULT_ADDR it is Vault's own default that does not answer.
fn no_address(error: Error, env: &BTreeMap<OsString, OsString>) -> Error {
    let given = env.contains_key(OsStr::new("VAULT_ADDR"));
    match error.kind() {
        Kind::Host if !given && under_sudo(env) => {
            error.better_hint(let_through("VAULT_ADDR", env))
        }
        _ => error,
    }
}

fn from_env(
    name: &str,
    variable: &str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<SecretString> {
    let missing = |what: &str| {
        Error::usage(format!(
            "secret {name}: the environment variable {variable} {what}"
        ))
        .hint(let_through(variable, env))
    };
    match env.get(OsStr::new(variable)) {
        None => Err(missing("is not set")),
        Some(value) if value.is_empty() => Err(missing("is empty")),
        Some(value) => match value.to_str() {
            Some(text) => Ok(text.into()),
            None => Err(missing("is not UTF-8")),
        },
    }
}

fn from_file(name: &str, path: &Path) -> Result<SecretString> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .context(Kind::Usage, || {
            format!("secret {name}: cannot read {}", path.display())
        })
        .map_err(|error| {
            let other = "write the secret to that file, or name another source";
            error.hint(nearest::hint(path, other))
        })?;
    text(name, &Source::File(path.into()), bytes)
}

/// Runs the command. Neither its text nor what it printed is ever in an error, only what it wrote
/// to standard error.
fn from_command(
    name: &str,
    line: &str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<SecretString> {
    let args = ["-c".into(), line.into()];
    let output = command::output_with(env, Path::new("/bin/sh"), &args)
        .map_err(|_| Error::host(format!("secret {name}: cannot start sh for its command")))?;
    if output.status.success() {
        return text(name, &Source::Command(line.into()), output.stdout);
    }
    let mut stdout = output.stdout;
    stdout.zeroize();
    let said = &output.stderr[output.stderr.len().saturating_sub(TAIL)..];
    let said = String::from_utf8_lossy(said);
    let mut what = format!("secret {name}: its command ended with {}", output.status);
    if !said.trim().is_empty() {
        what = format!("{what}: {}", said.trim());
    }
    Err(Error::usage(what).hint("run the command by hand to see why"))
}

/// `bytes` as a secret, without the line end that editors and commands add.
fn text(name: &str, source: &Source, mut bytes: Vec<u8>) -> Result<SecretString> {
    let wrong = |what: &str| {
        Error::usage(format!("secret {name}: what comes from {source} {what}"))
            .hint("a secret is UTF-8 text of at most 1 MiB")
    };
    if bytes.len() as u64 > LIMIT {
        bytes.zeroize();
        return Err(wrong("is too long"));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(wrong("is empty"));
    }
    String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|error| {
            error.into_bytes().zeroize();
            wrong("is not UTF-8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn one(source: Source, env: &[(&str, &str)]) -> Result<String> {
        let env = env.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let name = "pw".into();
        let values = resolve(&[Secret { name, source }], &env)?;
        assert_eq!(values[0].0, "pw");
        Ok(values[0].1.expose_secret().to_owned())
    }

    #[test]
    fn environment_file_and_command() {
        assert_eq!(
            one(Source::Env("A".into()), &[("A", "x\n")]).unwrap(),
            "x\n"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "line\nkey\r\n").unwrap();
        assert_eq!(
            one(Source::File(file.path().into()), &[]).unwrap(),
            "line\nkey"
        );
        let printed = one(Source::Command("echo a; echo b".into()), &[]);
        assert_eq!(printed.unwrap(), "a\nb");
    }

    #[test]
    fn what_is_missing_is_named_with_a_hint() {
        for (source, part) in [
            (Source::Env("NO".into()), "variable NO is not set"),
            (Source::Env("E".into()), "variable E is empty"),
            (Source::File("/none/x".into()), "cannot read /none/x"),
            (Source::File("/dev/zero".into()), "is too long"),
            (Source::Command("true".into()), "its command is empty"),
        ] {
            let error = one(source, &[("E", "")]).unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with("secret pw: ") && text.contains(part),
                "{text}"
            );
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn a_failed_command_shows_only_its_messages() {
        let line = "echo hunter2; echo locked >&2; exit 3 # hunter2";
        let error = one(Source::Command(line.into()), &[]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("locked") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
