//! One call of ansible-playbook for a machine that answers over SSH on a port of this one.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    extra_vars::ExtraVars,
    json::{Vars, to_ascii},
};
use crate::sys::private_files::PrivateFiles;

/// The inventory, in the run's folder.
const INVENTORY: &str = "inventory.json";

/// For how long ssh tries to connect, in seconds: an emulated machine takes its time for the keys.
const TIMEOUT: u32 = 120;

/// What ansible-playbook is to do.
pub struct Booted<'a> {
    /// Absolute path of the playbook.
    pub playbook: &'a Path,
    /// What the machine is called.
    pub name: &'a str,
    /// The port, on 127.0.0.1.
    pub port: u16,
    /// As whom one logs in.
    pub user: Option<&'a str>,
    /// With which key.
    pub private_key: Option<&'a Path>,
    /// `-e`.
    pub extra_vars: &'a [ExtraVars],
    /// Further arguments.
    pub arguments: &'a [OsString],
}

impl Booted<'_> {
    /// The inventory and the extra variables, with paths relative to the run's folder.
    pub fn files(&self) -> PrivateFiles {
        let mut files = PrivateFiles::default();
        let hosts = json!({"all": {"hosts": {self.name: self.variables()}}});
        files.add(INVENTORY, to_ascii(&hosts));
        for (path, vars) in self.extra() {
            if let ExtraVars::Text(text) = vars {
                files.add(path, text.expose_secret());
            }
        }
        files
    }

    /// The arguments, once [`Self::files`] are in `folder`.
    pub fn arguments(&self, folder: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--inventory".into(), folder.join(INVENTORY).into()];
        for (path, vars) in self.extra() {
            let mut at = OsString::from("@");
            at.push(match vars {
                ExtraVars::File(file) => file.clone(),
                ExtraVars::Text(_) => folder.join(path),
            });
            args.extend(["-e".into(), at]);
        }
        args.extend(self.arguments.iter().cloned());
        args.push(self.playbook.into());
        args
    }

    /// It has made its keys a moment ago, or has those of the image, and another machine will have the port next: there is
    /// nothing to compare its key with.
    fn variables(&self) -> Vars {
        let mut vars = Vars::new();
        let mut set = |name: &str, value: serde_json::Value| vars.insert(name.into(), value);
        set("ansible_connection", "ssh".into());
        set("ansible_host", "127.0.0.1".into());
        set("ansible_port", self.port.into());
        set("ansible_ssh_host_key_checking", false.into());
        set(
            "ansible_ssh_common_args",
            "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR"
                .into(),
        );
        set("ansible_ssh_timeout", TIMEOUT.into());
        if let Some(user) = self.user {
            set("ansible_user", user.into());
        }
        if let Some(key) = self.private_key {
            set(
                "ansible_ssh_private_key_file",
                key.display().to_string().into(),
            );
        }
        vars
    }

    fn extra(&self) -> impl Iterator<Item = (PathBuf, &ExtraVars)> {
        let numbered = self.extra_vars.iter().enumerate();
        numbered.map(|(number, vars)| (format!("extra-vars/{number:03}.json").into(), vars))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_reached_by_its_port_and_nothing_secret_is_an_argument() {
        let vars = [
            ExtraVars::Text("{\"pw\": \"hunter2\"}".into()),
            ExtraVars::File("/v.yml".into()),
        ];
        let booted = Booted {
            playbook: Path::new("/verify.yml"),
            name: "mypi",
            port: 2222,
            user: Some("ubuntu"),
            private_key: Some(Path::new("/key")),
            extra_vars: &vars,
            arguments: &["--become".into()],
        };
        let args = booted.arguments(Path::new("/f"));
        let args: Vec<_> = args.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(
            args,
            [
                "--inventory",
                "/f/inventory.json",
                "-e",
                "@/f/extra-vars/000.json",
                "-e",
                "@/v.yml",
                "--become",
                "/verify.yml"
            ]
        );
        let files = booted.files();
        let content = |name: &str| {
            let file = files.0.iter().find(|file| file.path == Path::new(name));
            file.unwrap().content.clone()
        };
        let inventory: serde_json::Value =
            serde_json::from_str(&content("inventory.json")).unwrap();
        let host = &inventory["all"]["hosts"]["mypi"];
        assert_eq!(
            (&host["ansible_port"], &host["ansible_user"]),
            (&2222.into(), &"ubuntu".into())
        );
        assert!(content("extra-vars/000.json").contains("hunter2"));
    }
}
