//! Ansible: which one a run would use, its version, and the connection plugin it needs.

use std::path::{Path, PathBuf};

use super::{check::Check, distribution::Distribution};
use crate::{
    ansible::{
        find,
        version::{NEWEST, OLDEST},
    },
    config::{File, Surroundings, file, locations},
    sys::{command, kernel::Version},
};

/// What `ansible-playbook --version` tells.
#[derive(Debug, PartialEq, Eq)]
struct About {
    /// ansible-core's version, as it is written.
    core: String,
    /// Where collections may be.
    places: Vec<PathBuf>,
}

/// ansible-playbook itself, our connection plugin, and community.general's for `--executor plain`.
pub fn checks(around: &Surroundings, distribution: &Distribution) -> Vec<Check> {
    const ID: &str = "ansible";
    let script = around
        .venv
        .as_ref()
        .map(|venv| venv.with_file_name("scripts/ansible-venv.sh"));
    let install = || match &script {
        Some(script) if script.is_file() => format!("{} run", script.display()),
        _ => distribution.install_ansible(),
    };
    let configured = configured(around);
    let found = find::ansible_playbook(
        configured.as_deref(),
        &around.env,
        &around.cwd,
        around.venv.as_deref(),
    );
    let path = match found {
        Ok(path) => path,
        Err(error) => return vec![Check::missing(ID, error.to_string()).run(install())],
    };
    let shown = path.display();
    let Some(about) = ask(&path) else {
        return vec![
            Check::missing(ID, format!("{shown} does not tell its version")).run(install()),
        ];
    };
    let ansible = match Version::parse(&about.core) {
        Some(version) if version < OLDEST => Check::missing(
            ID,
            format!("{shown}, core {}; at least {OLDEST} is needed", about.core),
        )
        .run(install()),
        Some(version) if version > NEWEST => Check::warning(
            ID,
            format!(
                "{shown}, core {}; newer than {NEWEST}, the newest that is known",
                about.core
            ),
        ),
        _ => Check::ok(ID, format!("{shown}, core {}", about.core)),
    };
    let ours = match (around.has_connection_plugin(), &around.data_dir) {
        (Err(error), _) => Check::missing("connection-plugin", error.to_string()),
        (Ok(()), Some(folder)) => {
            Check::ok("connection-plugin", format!("in {}", folder.display()))
        }
        (Ok(()), None) => Check::ok("connection-plugin", "in pichroot itself"),
    };
    vec![ansible, ours, peer(&path, &about)]
}

/// `ansible.command` of ./pichroot.yml. A file that cannot be read is for a run to complain about.
fn configured(around: &Surroundings) -> Option<PathBuf> {
    let command = File::read(&around.cwd.join(file::NAME))
        .ok()?
        .ansible
        .command?;
    Some(if command.contains('/') {
        locations::absolute(&command, &around.cwd, around.home())
    } else {
        command.into()
    })
}

fn ask(ansible_playbook: &Path) -> Option<About> {
    let output = command::output(ansible_playbook, &["--version".into()]).ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the output of `ansible-playbook --version`.
fn parse(text: &str) -> Option<About> {
    let core = text.lines().next()?.split_once("[core ")?.1;
    let value = |key: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(key))?;
        Some(line.split_once(" = ")?.1.trim())
    };
    let module = value("ansible python module location").map(Path::new);
    let collections = value("ansible collection location").unwrap_or_default();
    // As Ansible looks: the configured folders, then beside its own module.
    let places = collections
        .split(':')
        .filter(|place| !place.is_empty())
        .map(PathBuf::from)
        .chain(module.and_then(Path::parent).map(Path::to_owned))
        .collect();
    Some(About {
        core: core.split(']').next()?.trim().to_owned(),
        places,
    })
}

fn peer(ansible_playbook: &Path, about: &About) -> Check {
    const ID: &str = "community.general";
    let collection = about
        .places
        .iter()
        .map(|place| place.join("ansible_collections/community/general"))
        .find(|folder| folder.join("plugins/connection/chroot.py").is_file());
    match collection {
        Some(folder) => Check::ok(ID, folder.display().to_string()),
        None => {
            let galaxy = ansible_playbook.with_file_name("ansible-galaxy");
            Check::warning(
                ID,
                "community.general.chroot is not there; only --executor plain needs it",
            )
            .run(command::shell_line(
                &galaxy,
                &["collection", "install", "community.general"].map(Into::into),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    const TEXT: &str = "ansible-playbook [core 2.19.14]\n  config file = None\n  \
        ansible python module location = /venv/lib/ansible\n  \
        ansible collection location = /root/.ansible/collections:/usr/share/ansible/collections\n";

    #[test]
    fn the_version_and_the_places_are_read() {
        let about = parse(TEXT).unwrap();
        assert_eq!(about.core, "2.19.14");
        let places: Vec<_> = about.places.iter().filter_map(|p| p.to_str()).collect();
        assert_eq!(
            places,
            [
                "/root/.ansible/collections",
                "/usr/share/ansible/collections",
                "/venv/lib"
            ]
        );
        assert_eq!(parse("ansible-playbook 2.9.6\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_plugin_is_found_where_the_collection_is() {
        let folder = tempfile::tempdir().unwrap();
        let about = About {
            core: "2.19.1".into(),
            places: vec!["/nowhere".into(), folder.path().to_owned()],
        };
        let check = |about| peer(Path::new("/v/bin/ansible-playbook"), about);
        let missing = check(&about);
        assert_eq!(missing.status, Status::Warning);
        assert_eq!(
            missing.run.unwrap(),
            "/v/bin/ansible-galaxy collection install community.general"
        );
        let plugins = folder
            .path()
            .join("ansible_collections/community/general/plugins/connection");
        std::fs::create_dir_all(&plugins).unwrap();
        std::fs::write(plugins.join("chroot.py"), "").unwrap();
        assert_eq!(check(&about).status, Status::Ok);
    }
}
