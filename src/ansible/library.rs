//! Ansible's library for modules, on this machine: a zygote can have it before the first module
//! comes.
//!
//! Only a head start: what a module then brings along decides whether this is the same.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What nearly every module imports, then what `setup` and `systemd` do.
const IMPORTS: [&[&str]; 2] = [
    &[
        "ansible.modules",
        "ansible.module_utils.basic",
        "ansible.module_utils._internal._ansiballz._loader",
        "ansible.module_utils._internal._json._profiles._module_legacy_c2m",
        "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
    ],
    &[
        "ansible.module_utils.facts.ansible_collector",
        "ansible.module_utils.facts.default_collectors",
        "ansible.module_utils.service",
    ],
];

/// What of the library a zygote is to import, in steps.
pub fn imports() -> Vec<Vec<String>> {
    let step = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    IMPORTS.into_iter().map(step).collect()
}

/// The two packages that ansible-core does not send as they are but makes up, by name, for the
/// installation in `folder` (`executor/module_common.py`, since 2.10).
pub fn made_up(folder: &Path) -> Option<Vec<(String, String)>> {
    let (version, author) = (version(folder)?, release(folder, "__author__")?);
    let path = "from pkgutil import extend_path\n__path__=extend_path(__path__,__name__)\n";
    Some(vec![
        (
            "ansible".into(),
            format!("{path}__version__=\"{version}\"\n__author__=\"{author}\"\n"),
        ),
        ("ansible.module_utils".into(), path.into()),
    ])
}

/// The version of the installation in `folder`.
pub fn version(folder: &Path) -> Option<String> {
    release(folder, "__version__")
}

/// A text of its `release.py`.
fn release(folder: &Path, name: &str) -> Option<String> {
    let release = fs::read_to_string(folder.join("release.py")).ok()?;
    let line = release.lines().find_map(|line| line.strip_prefix(name))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.trim_matches(['\'', '"']).to_owned())
}

/// The folder `ansible` of the installation that `ansible_playbook` belongs to, where pip, pipx,
/// distributions and virtual environments put it.
pub fn find(ansible_playbook: &Path) -> Option<PathBuf> {
    let program = ansible_playbook.canonicalize().ok()?;
    let prefix = program.parent()?.parent()?;
    let versions = fs::read_dir(prefix.join("lib")).ok()?.flatten();
    versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| ["site-packages", "dist-packages"].map(|d| entry.path().join(d)))
        .map(|packages| packages.join("ansible"))
        .find(|folder| folder.join("module_utils/basic.py").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_from_a_link_to_the_program() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("venv/lib/python3.11/site-packages/ansible");
        fs::create_dir_all(folder.join("module_utils")).unwrap();
        fs::create_dir_all(top.path().join("venv/bin")).unwrap();
        fs::write(top.path().join("venv/bin/ansible-playbook"), "").unwrap();
        let link = top.path().join("ansible-playbook");
        std::os::unix::fs::symlink("venv/bin/ansible-playbook", &link).unwrap();
        assert_eq!(find(&link), None);
        fs::write(folder.join("module_utils/basic.py"), "").unwrap();
        assert_eq!(find(&link).as_ref(), Some(&folder));
        assert_eq!(find(Path::new("/none/ansible-playbook")), None);
        assert_eq!(made_up(&folder), None);
        let release = "__version__ = '2.19.14'\n__author__ = 'Ansible, Inc.'\n";
        fs::write(folder.join("release.py"), release).unwrap();
        let (name, text) = &made_up(&folder).unwrap()[0];
        assert_eq!(name, "ansible");
        assert!(text.ends_with("\n__version__=\"2.19.14\"\n__author__=\"Ansible, Inc.\"\n"));
    }
}
