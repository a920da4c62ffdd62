//! What is on this machine beside the program: a folder in place of the bundle, and a checkout's Ansible.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The name of a virtual environment with Ansible, in a checkout or a data folder.
const VENV: &str = ".venv";

/// The folder that is used in place of the bundle, with `playbooks/`, `ansible_plugins/` and maybe `.venv/` in it:
/// `$PICHROOT_DATA_DIR`.
pub fn given(env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let folder = env.get(OsStr::new("PICHROOT_DATA_DIR"))?;
    // It fails for an empty path.
    std::path::absolute(folder).ok()
}

/// The virtual environment in `data_dir`, else in a folder above the running program: the checkout it was built in.
pub fn venv(data_dir: Option<&Path>) -> Option<PathBuf> {
    match data_dir {
        Some(folder) => Some(folder.join(VENV)),
        None => above(&std::env::current_exe().ok()?),
    }
}

/// A folder above may be everybody's, such as /tmp. So the virtual environment has to belong to root, or to whom the
/// program belongs, who could as well have changed that.
fn above(exe: &Path) -> Option<PathBuf> {
    let exe = exe.canonicalize().ok()?;
    let owners = [0, exe.metadata().ok()?.uid()];
    let trusted = |folder: &PathBuf| {
        let found = folder.metadata();
        found.is_ok_and(|found| found.is_dir() && owners.contains(&found.uid()))
    };
    let folders = exe.ancestors().skip(1).map(|folder| folder.join(VENV));
    folders.into_iter().find(trusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_checkouts_ansible_is_found_unless_it_is_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (exe, venv) = (top.join("target/release/pichroot"), top.join(VENV));
        fs::create_dir_all(exe.parent().unwrap()).unwrap();
        fs::create_dir(&venv).unwrap();
        fs::write(&exe, "").unwrap();
        let link = top.join("link");
        std::os::unix::fs::symlink(&exe, &link).unwrap();
        assert_eq!(above(&exe).as_ref(), Some(&venv));
        assert_eq!(above(&link).as_ref(), Some(&venv));
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&venv, Some(65534), None).unwrap();
            assert_ne!(above(&exe).as_ref(), Some(&venv));
            std::os::unix::fs::chown(&exe, Some(65534), None).unwrap();
            assert_eq!(above(&exe).as_ref(), Some(&venv));
        }
    }

    #[test]
    fn the_variable_wins() {
        let mut env = BTreeMap::new();
        assert_eq!(given(&env), None);
        env.insert("PICHROOT_DATA_DIR".into(), "".into());
        assert_eq!(given(&env), None);
        env.insert("PICHROOT_DATA_DIR".into(), "/d".into());
        assert_eq!(given(&env), Some("/d".into()));
        assert_eq!(venv(Some(Path::new("/d"))), Some("/d/.venv".into()));
    }
}
