//! Where the playbooks and Ansible plugins that come with pichroot are.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Finds the folder that holds `playbooks/`, `ansible_plugins/` and maybe a `.venv/`.
///
/// It is `$PICHROOT_DATA_DIR`; else the checkout the program `exe` was built in; else
/// `share/pichroot` beside the program's `bin`, below /usr/local or below /usr.
pub fn find(exe: &Path, env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    if let Some(folder) = env.get(OsStr::new("PICHROOT_DATA_DIR"))
        && !folder.is_empty()
    {
        return std::path::absolute(folder).ok();
    }
    let exe = exe.canonicalize().unwrap_or_else(|_| exe.to_owned());
    let checkout = exe.ancestors().skip(1).find(|folder| is_checkout(folder));
    if let Some(folder) = checkout {
        return Some(folder.to_owned());
    }
    let beside = exe.parent()?.parent().map(|p| p.join("share/pichroot"));
    let fixed = ["/usr/local/share/pichroot", "/usr/share/pichroot"].map(PathBuf::from);
    beside
        .into_iter()
        .chain(fixed)
        .find(|folder| folder.is_dir())
}

/// As [`find`], for the running program.
pub fn of_this_program(env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    find(&std::env::current_exe().ok()?, env)
}

fn is_checkout(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
        && (folder.join("ansible_plugins").is_dir()
            || folder
                .join("playbooks/bootstrap-ubuntu-image.yml")
                .is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn variable_then_checkout_then_installed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let exe = top.join("target/release/pichroot");
        fs::create_dir_all(exe.parent().unwrap()).unwrap();
        fs::create_dir_all(top.join("target/share/pichroot")).unwrap();
        fs::write(&exe, "").unwrap();
        let mut env = BTreeMap::new();
        assert_eq!(find(&exe, &env), Some(top.join("target/share/pichroot")));
        fs::write(top.join("Cargo.toml"), "").unwrap();
        fs::create_dir(top.join("ansible_plugins")).unwrap();
        assert_eq!(find(&exe, &env), Some(top.clone()));
        env.insert("PICHROOT_DATA_DIR".into(), "/d".into());
        assert_eq!(find(&exe, &env), Some("/d".into()));
    }
}
