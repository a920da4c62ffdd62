//! The few settings of the user's ansible.cfg that pichroot must know, found as Ansible finds them.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The caller's environment variables.
pub type Env = BTreeMap<OsString, OsString>;

/// Where Ansible would read its configuration from, started in `cwd`: `ANSIBLE_CONFIG`, then
/// ./ansible.cfg unless the folder is world-writable, then ~/.ansible.cfg, then /etc/ansible.
pub fn find(env: &Env, cwd: &Path) -> Option<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(path) = variable(env, "ANSIBLE_CONFIG") {
        let path = cwd.join(path);
        candidates.push(if path.is_dir() {
            path.join("ansible.cfg")
        } else {
            path
        });
    }
    if fs::metadata(cwd).is_ok_and(|m| m.mode() & 0o002 == 0) {
        candidates.push(cwd.join("ansible.cfg"));
    }
    if let Some(home) = variable(env, "HOME") {
        candidates.push(Path::new(home).join(".ansible.cfg"));
    }
    candidates.push("/etc/ansible/ansible.cfg".into());
    candidates.into_iter().find(|c| fs::File::open(c).is_ok())
}

/// The value of `key` in `[section]` of the INI `text`, read as Python's configparser does:
/// `=` or `:`, continued by indented lines, with `;` after a blank beginning a comment.
pub fn value(text: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found: Option<String> = None;
    let mut continued = false;
    for line in text.lines() {
        let trimmed = strip_comment(line);
        if trimmed.is_empty() {
            continue;
        }
        if line.starts_with([' ', '\t']) && continued {
            if let Some(value) = &mut found {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        continued = false;
        if let Some(name) = trimmed.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
            inside = name == section;
        } else if let Some((name, value)) = trimmed.split_once(['=', ':'])
            && inside
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(unquote(value.trim()).to_owned());
            continued = true;
        }
    }
    found
}

/// A setting as Ansible sees it: the environment variable, else the key in ansible.cfg. With it
/// comes the folder that relative paths in it start from.
pub fn setting(
    env: &Env,
    cwd: &Path,
    name: &str,
    section: &str,
    key: &str,
) -> Option<(String, PathBuf)> {
    match variable(env, name) {
        Some(value) => Some((value.to_string_lossy().into_owned(), cwd.to_owned())),
        None => configured(env, cwd, section, key),
    }
}

/// What ansible.cfg says for the key, and the folder of that file.
pub(super) fn configured(
    env: &Env,
    cwd: &Path,
    section: &str,
    key: &str,
) -> Option<(String, PathBuf)> {
    let file = find(env, cwd)?;
    let text = fs::read_to_string(&file).ok()?;
    let folder = file.parent().unwrap_or(cwd).to_owned();
    Some((value(&text, section, key)?, folder))
}

/// The variable `name`, unless it is unset or empty.
pub(super) fn variable<'a>(env: &'a Env, name: &str) -> Option<&'a OsStr> {
    env.get(OsStr::new(name))
        .map(OsString::as_os_str)
        .filter(|value| !value.is_empty())
}

fn strip_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return "";
    }
    let comment = line.find(" ;").or_else(|| line.find("\t;"));
    line[..comment.unwrap_or(line.len())].trim_end()
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn values_are_read_as_configparser_does() {
        let text = "# c\n[a]\ninventory=x\n[defaults]\nInventory : one, ; first\n  two\nb = 'q'\n";
        assert_eq!(value(text, "defaults", "inventory").unwrap(), "one,\ntwo");
        assert_eq!(value(text, "defaults", "b").unwrap(), "q");
        assert_eq!(value(text, "defaults", "none"), None);
    }

    #[test]
    fn a_world_writable_folder_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ansible.cfg");
        fs::write(&file, "").unwrap();
        let env = Env::new();
        let mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
        mode(0o755).unwrap();
        assert_eq!(find(&env, folder.path()), Some(file.clone()));
        mode(0o777).unwrap();
        assert_ne!(find(&env, folder.path()), Some(file.clone()));
        let env = Env::from([("ANSIBLE_CONFIG".into(), folder.path().into())]);
        assert_eq!(find(&env, Path::new("/")), Some(file));
    }
}
