//! The environment of ansible-playbook.

use std::{ffi::OsStr, path::Path};

use super::{
    ansible_cfg::{Env, configured, setting, variable},
    guard, user_inventory,
};

/// A kind of plugins: the variable and the key of ansible.cfg with their folders, and those where nobody sets one.
struct Kind(&'static str, &'static str, &'static str);

const CONNECTION: Kind = Kind(
    "ANSIBLE_CONNECTION_PLUGINS",
    "connection_plugins",
    ":~/.ansible/plugins/connection:/usr/share/ansible/plugins/connection",
);
const CALLBACK: Kind = Kind(
    "ANSIBLE_CALLBACK_PLUGINS",
    "callback_plugins",
    ":~/.ansible/plugins/callback:/usr/share/ansible/plugins/callback",
);

/// What the environment depends on, beside the caller's own.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The folder in which ansible-playbook is started.
    pub cwd: &'a Path,
    /// The run's folder, on a tmpfs.
    pub folder: &'a Path,
    /// Whether the play has secrets at all.
    pub secrets: bool,
    /// Names of variables that hold a secret (`env:` sources), which Ansible need not see.
    pub secret_names: &'a [String],
    /// The folder of the connection plugin, unless the user's own Ansible has it.
    pub connection_plugins: Option<&'a Path>,
    /// Whether our own standard output is a terminal; Ansible's is a pipe, for the redactor.
    pub terminal: bool,
}

/// The log file that the user has Ansible write, which passes no redactor.
pub fn log_path(caller: &Env, cwd: &Path) -> Option<String> {
    setting(caller, cwd, "ANSIBLE_LOG_PATH", "defaults", "log_path").map(|(path, _)| path)
}

/// The caller's environment as ansible-playbook gets it: without secrets, and with what makes
/// Ansible behave behind a pipe. What the user set stays as it is, with three exceptions: Ansible's
/// local temporary folder, which may hold secrets and so is always on the tmpfs; when there are
/// secrets, its log, which would hold them too; and the cache of facts, as those of the image and of
/// the machine that has its name are not the same.
pub fn environment(caller: &Env, setting: &Setting) -> Env {
    let mut env = caller.clone();
    env.remove(OsStr::new("VAULT_TOKEN"));
    for name in setting.secret_names {
        env.remove(OsStr::new(name));
    }
    env.insert(
        "ANSIBLE_LOCAL_TEMP".into(),
        setting.folder.join("tmp").into(),
    );
    if let Some(plugin) = inventory_cache(caller, setting.cwd) {
        env.insert(INVENTORY_CACHE.into(), plugin.into());
    }
    env.insert(FACT_CACHE.into(), "memory".into());
    env.insert(
        guard::VARIABLE.into(),
        setting.folder.join(guard::RULES).into(),
    );
    if setting.secrets && log_path(caller, setting.cwd).is_some() {
        env.insert("ANSIBLE_LOG_PATH".into(), "/dev/null".into());
    }
    if let Some(plugins) = user_inventory::enabled_plugins(caller, setting.cwd) {
        env.insert("ANSIBLE_INVENTORY_ENABLED".into(), plugins.into());
    }
    if let Some(ours) = setting.connection_plugins {
        add_plugins(&mut env, caller, setting.cwd, &CONNECTION, ours);
    }
    let guard = setting.folder.join(guard::FOLDER);
    add_plugins(&mut env, caller, setting.cwd, &CALLBACK, &guard);
    let colour_set = ["NO_COLOR", "ANSIBLE_NOCOLOR"]
        .iter()
        .any(|name| variable(caller, name).is_some());
    if setting.terminal && !colour_set {
        default(&mut env, "ANSIBLE_FORCE_COLOR", "1");
    }
    default(&mut env, "PYTHONUNBUFFERED", "1");
    if !has_utf8_locale(caller) {
        env.insert("LC_ALL".into(), "C.UTF-8".into());
    }
    env
}

const FACT_CACHE: &str = "ANSIBLE_CACHE_PLUGIN";
const INVENTORY_CACHE: &str = "ANSIBLE_INVENTORY_CACHE_PLUGIN";

/// The cache that the user's inventories have. Where it has no setting of its own, it is that of facts.
fn inventory_cache(caller: &Env, cwd: &Path) -> Option<String> {
    let set = |name| Some(variable(caller, name)?.to_string_lossy().into_owned());
    let in_file = |section, key| Some(configured(caller, cwd, section, key)?.0);
    set(INVENTORY_CACHE)
        .or_else(|| set(FACT_CACHE))
        .or_else(|| in_file("inventory", "cache_plugin"))
        .or_else(|| in_file("defaults", "fact_caching"))
}

/// Our folder first, so that `chroot` is our plugin, then where the user's are.
fn add_plugins(env: &mut Env, caller: &Env, cwd: &Path, kind: &Kind, ours: &Path) {
    let Kind(name, key, usual) = kind;
    let theirs = setting(caller, cwd, name, "defaults", key);
    let mut path = ours.as_os_str().to_owned();
    match theirs {
        Some((folders, base)) => {
            for folder in folders.split(':') {
                path.push(":");
                path.push(match folder.starts_with(['~', '/', '{', '$']) {
                    true => folder.into(),
                    false => base.join(folder),
                });
            }
        }
        None => path.push(usual),
    }
    env.insert(name.into(), path);
}

fn default(env: &mut Env, name: &str, value: &str) {
    env.entry(name.into()).or_insert_with(|| value.into());
}

/// Ansible refuses to start unless its locale's encoding is UTF-8.
fn has_utf8_locale(env: &Env) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| variable(env, name))
        .and_then(OsStr::to_str)
        .is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pairs: &[(&str, &str)], terminal: bool) -> Env {
        let caller: Env = pairs.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let setting = Setting {
            cwd: Path::new("/"),
            folder: Path::new("/t"),
            secrets: true,
            secret_names: &["IMHOTEP_PW".into()],
            connection_plugins: Some(Path::new("/p")),
            terminal,
        };
        environment(&caller, &setting)
    }

    fn get<'a>(env: &'a Env, name: &str) -> Option<&'a str> {
        env.get(OsStr::new(name)).map(|v| v.to_str().unwrap())
    }

    #[test]
    fn secrets_are_taken_out() {
        let env = run(
            &[("VAULT_TOKEN", "x"), ("IMHOTEP_PW", "y"), ("PATH", "/bin")],
            false,
        );
        assert_eq!(get(&env, "VAULT_TOKEN"), None);
        assert_eq!(get(&env, "IMHOTEP_PW"), None);
        assert_eq!(get(&env, "PATH"), Some("/bin"));
        assert_eq!(get(&env, "ANSIBLE_LOCAL_TEMP"), Some("/t/tmp"));
    }

    #[test]
    fn no_log_is_written_of_a_play_with_secrets() {
        let env = run(&[("ANSIBLE_LOG_PATH", "/var/log/ansible.log")], false);
        assert_eq!(get(&env, "ANSIBLE_LOG_PATH"), Some("/dev/null"));
        assert_eq!(get(&run(&[], false), "ANSIBLE_LOG_PATH"), None);
    }

    #[test]
    fn our_plugins_come_before_the_users() {
        for (Kind(name, _, usual), ours) in [(CONNECTION, "/p"), (CALLBACK, "/t/guard")] {
            let path = |pairs: &[_]| get(&run(pairs, false), name).unwrap().to_owned();
            assert_eq!(path(&[]), format!("{ours}{usual}"));
            assert_eq!(path(&[(name, "a:~/b:/c")]), format!("{ours}:/a:~/b:/c"));
        }
    }

    #[test]
    fn facts_are_in_memory_and_the_inventorys_cache_stays() {
        let caches = |pairs: &[_]| {
            let env = run(pairs, false);
            let inventory = get(&env, INVENTORY_CACHE).map(str::to_owned);
            assert_eq!(get(&env, FACT_CACHE), Some("memory"));
            inventory
        };
        assert_eq!(caches(&[]), None);
        assert_eq!(caches(&[(FACT_CACHE, "jsonfile")]).unwrap(), "jsonfile");
        let both = [(FACT_CACHE, "jsonfile"), (INVENTORY_CACHE, "redis")];
        assert_eq!(caches(&both).unwrap(), "redis");
    }

    #[test]
    fn colours_are_forced_for_a_terminal_unless_refused() {
        assert_eq!(get(&run(&[], true), "ANSIBLE_FORCE_COLOR"), Some("1"));
        assert_eq!(get(&run(&[], false), "ANSIBLE_FORCE_COLOR"), None);
        let refused = run(&[("NO_COLOR", "1")], true);
        assert_eq!(get(&refused, "ANSIBLE_FORCE_COLOR"), None);
        let set = run(&[("ANSIBLE_FORCE_COLOR", "0")], true);
        assert_eq!(get(&set, "ANSIBLE_FORCE_COLOR"), Some("0"));
    }

    #[test]
    fn the_locale_is_always_utf_8() {
        assert_eq!(get(&run(&[], false), "LC_ALL"), Some("C.UTF-8"));
        let latin = run(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], false);
        assert_eq!(get(&latin, "LC_ALL"), Some("C.UTF-8"));
        assert_eq!(get(&run(&[("LANG", "de_DE.UTF-8")], false), "LC_ALL"), None);
    }
}
