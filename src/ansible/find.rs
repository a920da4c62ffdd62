//! Which ansible-playbook is used.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::ansible_cfg::{Env, variable};
use crate::error::{Error, Result};

/// The program's name.
const PROGRAM: &str = "ansible-playbook";

/// Finds ansible-playbook: `command` (`ansible.command` of pichroot.yml, a path or a name), else
/// the caller's `PATH`, else the virtual environment `venv`.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when `command` is not a program, [`crate::error::Kind::Host`] when
/// there is none at all.
pub fn ansible_playbook(
    command: Option<&Path>,
    env: &Env,
    cwd: &Path,
    venv: Option<&Path>,
) -> Result<PathBuf> {
    let look_up = |name: &OsStr| which::which_in(name, variable(env, "PATH"), cwd).ok();
    if let Some(command) = command {
        return look_up(command.as_os_str()).ok_or_else(|| {
            Error::usage(format!(
                "ansible.command is {}, which is not a program",
                command.display()
            ))
            .hint("name an ansible-playbook that can be executed, or leave the setting out")
        });
    }
    let private = venv.map(|folder| folder.join("bin").join(PROGRAM));
    look_up(OsStr::new(PROGRAM))
        .or_else(|| look_up(private.as_ref()?.as_os_str()))
        .ok_or_else(|| missing(env, private.as_deref()))
}

/// The error where there is none, with where it was looked for.
fn missing(env: &Env, private: Option<&Path>) -> Error {
    let path = variable(env, "PATH").unwrap_or_default();
    let folders = std::env::split_paths(path).chain(private.and_then(Path::parent).map(Into::into));
    let looked: Vec<_> = folders.map(|dir| dir.display().to_string()).collect();
    let error = Error::host(format!("cannot find {PROGRAM} in {}", looked.join(", ")));
    // Where pip and pipx put it; sudo's PATH does not lead there, and that is not ours to undo.
    let own = variable(env, "HOME").map(|home| Path::new(home).join(".local/bin").join(PROGRAM));
    error.hint(match own.filter(|own| own.is_file()) {
        Some(own) => format!(
            "to use {}, set ansible.command in pichroot.yml to it",
            own.display()
        ),
        None => "`pip install ansible`, or in a checkout `make demo`, or set ansible.command in pichroot.yml".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn configured_then_path_then_private() {
        let folder = tempfile::tempdir().unwrap();
        let program = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let private = program("venv/bin/ansible-playbook");
        let on_path = program("bin/ansible-playbook");
        let own = program("own/ap");
        let venv = folder.path().join("venv");
        let find = |command: Option<&Path>, path: &Path| {
            let env = Env::from([("PATH".into(), path.into())]);
            ansible_playbook(command, &env, Path::new("/"), Some(&venv))
        };
        let bin = folder.path().join("bin");
        assert_eq!(find(None, &bin).unwrap(), on_path);
        assert_eq!(find(None, Path::new("/none")).unwrap(), private);
        assert_eq!(find(Some(&own), &bin).unwrap(), own);
        let error = find(Some(Path::new("/none/ap")), &bin).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let error = ansible_playbook(None, &Env::new(), Path::new("/"), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Host);
        assert!(error.hint_text().unwrap().contains("pip install"));
    }
}
