//! The inventories of the user's own, found as ansible-playbook finds them.
//!
//! As we always pass `-i`, Ansible ignores what its environment and ansible.cfg say; so we pass
//! that on as further `-i`.

use std::path::{Path, PathBuf};

use super::ansible_cfg::{self, Env, setting};

/// The inventories to use: `given` (`-i`) if there are any, else `ANSIBLE_INVENTORY`, else
/// `inventory` of ansible.cfg; each a path or a comma-separated list of hosts.
pub fn sources(given: &[String], env: &Env, cwd: &Path) -> Vec<String> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let Some((list, folder)) = setting(env, cwd, "ANSIBLE_INVENTORY", "defaults", "inventory")
    else {
        return Vec::new();
    };
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| expand(item, &folder, env, cwd).display().to_string())
        .collect()
}

/// The inventory plugins Ansible has to try, where the user's setting leaves out the one that reads
/// our sources; `None` where nothing has to change.
pub fn enabled_plugins(env: &Env, cwd: &Path) -> Option<String> {
    let (list, _) = setting(
        env,
        cwd,
        "ANSIBLE_INVENTORY_ENABLED",
        "inventory",
        "enable_plugins",
    )?;
    let names: Vec<_> = list.split([',', '\n']).map(str::trim).collect();
    let reads_json = |name: &str| matches!(name, "yaml" | "ansible.builtin.yaml");
    (!names.iter().any(|name| reads_json(name))).then(|| format!("yaml,{}", names.join(",")))
}

/// `{{CWD}}`, `$VAR`, `${VAR}` and a leading `~` as Ansible expands them in paths.
fn expand(item: &str, folder: &Path, env: &Env, cwd: &Path) -> PathBuf {
    let item = item.replace("{{CWD}}", &cwd.to_string_lossy());
    let mut path = String::new();
    let mut rest = item.as_str();
    while let Some(at) = rest.find('$') {
        path.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, used) = match after.strip_prefix('{').and_then(|a| a.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match ansible_cfg::variable(env, name) {
            Some(value) => path.push_str(&value.to_string_lossy()),
            None => path.push_str(&rest[at..at + 1 + used]),
        }
        rest = &after[used..];
    }
    path.push_str(rest);
    match (path.strip_prefix("~/"), ansible_cfg::variable(env, "HOME")) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        _ => folder.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn env(pairs: &[(&str, &str)]) -> Env {
        let own = |(k, v): &(&str, &str)| (k.into(), v.into());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn given_then_environment_then_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let cfg = folder.path().join("my.cfg");
        fs::write(&cfg, "[defaults]\ninventory = hosts, ~/x, $V/y, ${V}/z\n").unwrap();
        let mut env = env(&[
            ("ANSIBLE_CONFIG", cfg.to_str().unwrap()),
            ("HOME", "/home/me"),
            ("V", "/v"),
        ]);
        let cwd = Path::new("/home/me");
        let from_file = folder.path().join("hosts").display().to_string();
        assert_eq!(
            sources(&[], &env, cwd),
            [from_file.as_str(), "/home/me/x", "/v/y", "/v/z"]
        );
        env.insert("ANSIBLE_INVENTORY".into(), "a,b".into());
        assert_eq!(sources(&[], &env, cwd), ["/home/me/a", "/home/me/b"]);
        assert_eq!(sources(&["c".into()], &env, cwd), ["c"]);
    }

    #[test]
    fn our_sources_stay_readable_whatever_plugins_the_user_enables() {
        let cwd = Path::new("/");
        let set = |list| env(&[("ANSIBLE_INVENTORY_ENABLED", list)]);
        assert_eq!(
            enabled_plugins(&set("ini, script"), cwd).unwrap(),
            "yaml,ini,script"
        );
        assert_eq!(enabled_plugins(&set("ini,yaml"), cwd), None);
    }
}
