//! One call of ansible-playbook: its files and its arguments.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    connection::Connection, extra_vars::ExtraVars, guard::Rules, inventory, json::Vars,
    signs::SIGNS,
};
use crate::sys::private_files::PrivateFiles;

/// What ansible-playbook is to do, all checked and resolved.
#[derive(Debug)]
pub struct Play<'a> {
    /// Absolute path of the playbook.
    pub playbook: &'a Path,
    /// The image's name in the inventory.
    pub host_name: &'a str,
    /// `vars` of pichroot.yml, the lowest precedence.
    pub vars: &'a Vars,
    /// `--var-file` and `-e`, in order of precedence, lowest first.
    pub extra_vars: &'a [ExtraVars],
    /// Resolved secrets by variable name; the highest precedence.
    pub secrets: &'a [(String, SecretString)],
    /// `--user`.
    pub user: Option<&'a str>,
    /// The user's own inventories ([`super::user_inventory::sources`]).
    pub inventories: &'a [String],
    /// The user's `--limit`.
    pub limit: Option<&'a str>,
    /// Whether the guard notes how long tasks take, and which collections there are.
    pub account: bool,
    /// How many `-v`.
    pub verbosity: u8,
    /// Further arguments, passed as they are, before the playbook.
    pub arguments: &'a [OsString],
    /// How Ansible reaches the image.
    pub connection: &'a Connection,
    /// The file of the connection plugin, if it is ours.
    pub plugin: Option<&'a Path>,
    /// The socket of the executor.
    pub executor: &'a Path,
    /// Where the guard leaves its note.
    pub note: &'a Path,
}

impl Play<'_> {
    /// The inventory, the guard and the extra variables, with paths relative to the run's folder.
    pub fn files(&self) -> PrivateFiles {
        let mut files = PrivateFiles::default();
        inventory::add_to(&mut files, self.host_name, self.vars, self.connection);
        let rules = Rules {
            image: self.host_name,
            variables: self.connection.leading_vars(),
            plugin: self.plugin.map(Path::to_string_lossy),
            executor: self.executor.to_string_lossy(),
            limit: self.limit,
            inventories: !self.inventories.is_empty(),
            signs: SIGNS,
            account: self.account,
            note: self.note.to_string_lossy(),
        };
        rules.add_to(&mut files);
        for (path, vars) in self.extra() {
            if let (Some(path), ExtraVars::Text(text)) = (path, vars) {
                files.add(path, text.expose_secret());
            }
        }
        files
    }

    /// The arguments for ansible-playbook, once [`Self::files`] are in `run_folder`.
    pub fn arguments(&self, run_folder: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--connection".into(), (&self.connection.plugin).into()];
        for source in inventory::sources(run_folder, self.inventories) {
            args.extend(["--inventory".into(), source.into()]);
        }
        if let Some(limit) = self.limit_pattern() {
            args.extend(["--limit".into(), limit.into()]);
        }
        for (path, vars) in self.extra() {
            let mut at = OsString::from("@");
            match (path, vars) {
                (None, ExtraVars::File(file)) => at.push(file),
                (path, _) => at.push(run_folder.join(path.unwrap_or_default())),
            }
            args.extend(["-e".into(), at]);
        }
        if let Some(user) = self.user {
            args.extend(["--user".into(), user.into()]);
        }
        if self.verbosity > 0 {
            args.push(format!("-{}", "v".repeat(self.verbosity.into())).into());
        }
        args.extend(self.arguments.iter().cloned());
        args.push(self.playbook.into());
        args
    }

    /// Each set of extra variables, with its path in the run's folder where it has to be written.
    fn extra(&self) -> impl Iterator<Item = (Option<PathBuf>, ExtraVars)> {
        let secrets = (!self.secrets.is_empty()).then(|| ExtraVars::secrets(self.secrets));
        let all = self.extra_vars.iter().cloned().chain(secrets);
        all.enumerate().map(|(number, vars)| match vars {
            ExtraVars::File(_) => (None, vars),
            ExtraVars::Text(_) => (Some(format!("extra-vars/{number:03}.json").into()), vars),
        })
    }

    /// Only the image is ever provisioned: other hosts of the user's inventory, which the same
    /// playbook may well name, are left out. A `--limit` of the user narrows this further. The guard
    /// knows more than a pattern can say, and puts its own rule in the place of this one; without it,
    /// nothing more is in reach.
    fn limit_pattern(&self) -> Option<String> {
        match self.limit {
            Some(limit) => Some(format!("{limit},&{}", self.host_name)),
            None if self.inventories.is_empty() => None,
            None => Some(format!("{},localhost", self.host_name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(inventories: &[String], limit: Option<&str>, more: &[OsString]) -> String {
        let connection = Connection::fast(Path::new("/r"), Path::new("/c"), "/usr/bin/python3");
        let (vars, secrets) = (Vars::new(), [("key".into(), "s3cret".into())]);
        let extra = [
            ExtraVars::File("/v.yml".into()),
            ExtraVars::Text("{\"a\": \"b4d\"}".into()),
        ];
        let play = Play {
            playbook: Path::new("/p.yml"),
            host_name: "mypi",
            vars: &vars,
            extra_vars: &extra,
            secrets: &secrets,
            user: Some("ubuntu"),
            inventories,
            limit,
            account: false,
            verbosity: more.len() as u8,
            arguments: more,
            connection: &connection,
            plugin: None,
            executor: Path::new("/t/executor.sock"),
            note: Path::new("/t/note"),
        };
        let words = play.arguments(Path::new("/t"));
        let words: Vec<_> = words.iter().map(|w| w.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn nothing_but_file_names_is_in_the_arguments() {
        assert_eq!(
            arguments(&[], None, &[]),
            "--connection chroot --inventory /t/inventory/vars.json --inventory /t/inventory/host \
             -e @/v.yml -e @/t/extra-vars/001.json -e @/t/extra-vars/002.json --user ubuntu /p.yml"
        );
    }

    #[test]
    fn with_an_inventory_of_the_users_only_the_image_is_provisioned() {
        let inventories = ["/inv".to_owned()];
        let line = arguments(&inventories, None, &[]);
        assert!(line.contains("vars.json --inventory /inv --inventory /t/inventory/host"));
        assert!(line.contains(" --limit mypi,localhost "), "{line}");
        let line = arguments(&[], Some("pis"), &[]);
        assert!(line.contains(" --limit pis,&mypi "), "{line}");
    }

    #[test]
    fn verbosity_and_further_arguments_come_before_the_playbook() {
        let more = ["--tags".into(), "boot".into()];
        let line = arguments(&[], None, &more);
        assert!(line.ends_with(" -vv --tags boot /p.yml"), "{line}");
    }
}
