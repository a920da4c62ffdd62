//! `-e` and `--var-file` as Ansible's extra variables.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{hcl, key_value};
use crate::{
    ansible::ExtraVars,
    error::{Context, Error, Kind, Result},
    nearest,
};

/// Reads one `-e`: `@FILE`, a JSON or YAML mapping, or words `NAME=VALUE`. Paths start from `cwd`.
///
/// # Errors
/// [`Kind::Usage`] when it is malformed, never repeating it; or when the file cannot be read.
pub fn option(text: &str, cwd: &Path) -> Result<ExtraVars> {
    if let Some(path) = text.strip_prefix('@') {
        return readable(cwd.join(path)).map(ExtraVars::File);
    }
    if text.starts_with(['/', '.']) {
        return Err(
            Error::usage("-e, --extra-vars: this is a path, not variables")
                .hint("write a file of variables as -e @FILE"),
        );
    }
    if text.starts_with(['{', '[']) {
        // Only its shape is looked at: Ansible reads it, by its own rules.
        return match serde_yaml::from_str::<serde_yaml::Value>(text) {
            Ok(serde_yaml::Value::Mapping(_)) => Ok(ExtraVars::Text(text.into())),
            _ => Err(
                Error::usage("-e, --extra-vars: this is not a JSON or YAML object")
                    .hint("write {\"name\": \"value\"}, in single quotes for the shell"),
            ),
        };
    }
    key_value::parse(text).map(ExtraVars::templates)
}

/// Reads one `--var-file`: `*.hcl` here, YAML and JSON by Ansible. Relative paths start from `cwd`.
///
/// # Errors
/// [`Kind::Usage`] when it cannot be read.
pub fn file(path: &Path, cwd: &Path) -> Result<ExtraVars> {
    let path = readable(cwd.join(path))?;
    if path.extension().is_none_or(|extension| extension != "hcl") {
        return Ok(ExtraVars::File(path));
    }
    let text = fs::read_to_string(&path)
        .context(Kind::Usage, || format!("cannot read {}", path.display()))
        .map_err(|error| error.hint("a .hcl file has to be UTF-8 text"))?;
    hcl::parse(&text, &path).map(ExtraVars::data)
}

fn readable(path: PathBuf) -> Result<PathBuf> {
    // Not opened: a named pipe can be opened only once, and that is for Ansible.
    let missing = || format!("cannot read the variable file {}", path.display());
    let metadata = fs::metadata(&path)
        .context(Kind::Usage, missing)
        .map_err(|error| {
            let other = "check the path: it starts from the working directory";
            error.hint(nearest::hint(&path, other))
        })?;
    if metadata.is_dir() {
        return Err(
            Error::usage(format!("{}: it is a folder", missing())).hint("name a file in it")
        );
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn text(vars: ExtraVars) -> String {
        match vars {
            ExtraVars::Text(text) => text.expose_secret().to_owned(),
            ExtraVars::File(path) => panic!("{path:?}"),
        }
    }

    #[test]
    fn every_form() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path();
        fs::write(cwd.join("v.yml"), "a: 1\n").unwrap();
        fs::write(cwd.join("v.pkrvars.hcl"), "a = \"{{ x }}\"\n").unwrap();
        let ExtraVars::File(path) = option("@v.yml", cwd).unwrap() else {
            panic!("file expected")
        };
        assert_eq!(path, cwd.join("v.yml"));
        assert_eq!(text(option("a='b c'", cwd).unwrap()), r#"{"a":"b c"}"#);
        assert_eq!(text(option("{a: 0755}", cwd).unwrap()), "{a: 0755}");
        assert!(matches!(
            file(Path::new("v.yml"), cwd),
            Ok(ExtraVars::File(_))
        ));
        assert_eq!(
            text(file(Path::new("v.pkrvars.hcl"), cwd).unwrap()),
            r#"{"a":{"__ansible_unsafe":"{{ x }}"}}"#
        );
    }

    #[test]
    fn errors_do_not_repeat_values() {
        for wrong in [
            "@none",
            "./v.yml",
            "{hunter2",
            "[hunter2]",
            "{\"a\": hunter2",
        ] {
            let error = option(wrong, Path::new("/")).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(!error.to_string().contains("hunter2"));
            assert!(error.hint_text().is_some());
        }
    }
}
