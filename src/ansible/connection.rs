//! The seam between pichroot and Ansible's connection plugin.
//!
//! A [`Connection`] names the plugin, the value of `ansible_host`, and the host variables the plugin
//! and Ansible need. Another plugin is another constructor here; the inventory and the arguments
//! follow.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::json;

use super::json::Vars;

/// Which way Ansible takes into the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// pichroot's own connection plugin, and zygotes for modules.
    #[default]
    Fast,
    /// community.general.chroot, and every module started anew; for comparison.
    Plain,
}

/// How Ansible reaches the image.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The plugin's name, for `--connection` and `ansible_connection`.
    pub plugin: String,
    /// `ansible_host`: the root of the mounted image, as ansible-playbook sees it.
    pub host_path: PathBuf,
    /// Further host variables; they win over those of the user's inventory.
    pub vars: Vars,
}

impl Connection {
    /// Our own plugin `chroot` (`ansible_plugins/`), which speaks with the executor at `socket`.
    ///
    /// `root` and `interpreter` are as for [`Self::plain`].
    pub fn fast(root: &Path, socket: &Path, interpreter: &str) -> Self {
        let mut vars = target_vars(interpreter);
        vars.insert(
            "ansible_chroot_socket".into(),
            socket.to_string_lossy().into(),
        );
        // It goes through memory, and compressing takes longer.
        vars.insert("ansible_module_compression".into(), "ZIP_STORED".into());
        Connection {
            plugin: "chroot".into(),
            host_path: root.to_owned(),
            vars,
        }
    }

    /// `community.general.chroot`, entering through `chroot_exe` instead of chroot(8).
    ///
    /// `root` is the mounted image, `chroot_exe` an absolute path (the plugin runs it as
    /// `CHROOT_EXE ROOT SHELL -c COMMAND`), `interpreter` the image's Python, usually
    /// `/usr/bin/python3`. Both must be UTF-8, as all that we put into the inventory.
    pub fn plain(root: &Path, chroot_exe: &Path, interpreter: &str) -> Self {
        let mut vars = target_vars(interpreter);
        vars.insert(
            "ansible_chroot_exe".into(),
            chroot_exe.to_string_lossy().into(),
        );
        Connection {
            plugin: "community.general.chroot".into(),
            host_path: root.to_owned(),
            vars,
        }
    }

    /// All host variables, `ansible_connection` and `ansible_host` included.
    pub fn host_vars(&self) -> Vars {
        let mut vars = self.vars.clone();
        vars.extend(self.leading_vars());
        vars
    }

    /// Those that say where the image's tasks run, which nothing may override.
    pub fn leading_vars(&self) -> Vars {
        let leads = |name: &str| matches!(name, "ansible_chroot_socket" | "ansible_chroot_exe");
        let own = self.vars.iter().filter(|(name, _)| leads(name));
        let mut vars: Vars = own
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        vars.insert("ansible_connection".into(), self.plugin.clone().into());
        // The second is an old name of the first, and goes before it in some of Ansible.
        for name in ["ansible_host", "ansible_ssh_host"] {
            vars.insert(name.into(), self.host_path.to_string_lossy().into());
        }
        vars
    }
}

/// What holds for every image, whatever the plugin.
///
/// Pipelining keeps module parameters (secrets among them) off the file system; where Ansible needs
/// a file all the same, it goes to the chroot's tmpfs and not into blocks of the image.
fn target_vars(interpreter: &str) -> Vars {
    let vars = json!({
        "ansible_python_interpreter": interpreter,
        "ansible_pipelining": true,
        "ansible_remote_tmp": "/tmp/.ansible/tmp",
        "ansible_system_tmpdirs": ["/tmp"],
        "ansible_async_dir": "/tmp/.ansible/async",
        "ansible_no_target_syslog": true,
    });
    match vars {
        serde_json::Value::Object(map) => map,
        _ => unreachable!("an object literal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_and_the_path_are_host_variables() {
        let connection = Connection::plain(
            Path::new("/run/p/root"),
            Path::new("/run/p/enter"),
            "/usr/bin/python3",
        );
        let vars = connection.host_vars();
        assert_eq!(vars["ansible_connection"], "community.general.chroot");
        assert_eq!(vars["ansible_host"], "/run/p/root");
        assert_eq!(vars["ansible_chroot_exe"], "/run/p/enter");
        assert_eq!(vars["ansible_pipelining"], true);
    }
}
