//! Refuses the one place that would beat the connection of the generated inventory.
//!
//! Ansible ranks `host_vars/` beside the playbook above every inventory. A file there for the very
//! host that is being built may say `ansible_host: 10.0.0.5` for its later life, and the play would
//! then leave the image and change the running machine.

use std::{fs, path::Path};

use crate::error::{Error, Result};

/// The variables that say where a play goes.
const LEADING: [&str; 4] = [
    "ansible_connection",
    "ansible_host",
    "ansible_chroot_socket",
    "ansible_chroot_exe",
];

/// Checks that no `host_vars/HOST` beside `playbook` sets a variable that says where the play goes.
/// A file that is encrypted as a whole cannot be looked into.
///
/// # Errors
/// [`crate::error::Kind::Usage`], with the file and the variable.
pub fn refuse(playbook: &Path, host: &str) -> Result<()> {
    let Some(folder) = playbook.parent() else {
        return Ok(());
    };
    let base = folder.join("host_vars").join(host);
    for extension in ["", ".yml", ".yaml", ".json"] {
        let mut path = base.clone().into_os_string();
        path.push(extension);
        check(Path::new(&path))?;
    }
    Ok(())
}

/// Checks a file, or a folder of them. What cannot be read or parsed is for Ansible to refuse.
fn check(path: &Path) -> Result<()> {
    if let Ok(entries) = fs::read_dir(path) {
        return entries.flatten().try_for_each(|entry| check(&entry.path()));
    }
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let Ok(vars) = serde_yaml::from_str::<serde_yaml::Mapping>(&text) else {
        return Ok(());
    };
    match LEADING.iter().find(|name| vars.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!(
            "{} sets {name}, which would lead the play away from the image",
            path.display()
        ))
        .hint(format!(
            "move {name} to the host_vars of an inventory: there pichroot can override it"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_beside_the_playbook_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let playbook = folder.path().join("site.yml");
        let vars = folder.path().join("host_vars/mypi");
        fs::create_dir_all(&vars).unwrap();
        fs::write(vars.join("a.yml"), "other: !vault |\n  x\n").unwrap();
        refuse(&playbook, "mypi").unwrap();
        fs::write(vars.join("b.yml"), "ansible_host: 10.0.0.5\n").unwrap();
        let error = refuse(&playbook, "mypi").unwrap_err();
        assert!(error.to_string().contains("b.yml sets ansible_host"));
        refuse(&playbook, "other").unwrap();
    }
}
