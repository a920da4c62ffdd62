//! The manifest: what is asked for it of Ansible and git, and its text.

use std::{ffi::OsString, path::Path, time::Duration};

use super::{job::AnsibleCommand, journal::Journal};
use crate::{
    ansible::library,
    config::AnsiblePlan,
    disk::Volume,
    finish::{
        dates,
        manifest::{self, Ansible, Artefact, Commit, Manifest, Part, Source, System},
    },
    sys::command::{self, Surroundings},
};

/// How long a program may take that only tells something.
const LIMIT: Duration = Duration::from_secs(120);

/// The manifest of an image with these `volumes`, from `source`, of which the `outputs` were made.
pub fn text(
    plan: &AnsiblePlan,
    command: &AnsibleCommand,
    journal: &Journal,
    volumes: &[Volume],
    source: &str,
    outputs: Vec<Artefact>,
) -> String {
    let opened = journal.opened.as_ref();
    let places = opened.map_or(&[][..], |opened| &opened.partitions);
    let seconds = plan.finish.epoch.unwrap_or_else(dates::now);
    let document = Manifest {
        manifest: 1,
        pichroot: env!("CARGO_PKG_VERSION"),
        made: dates::time(seconds),
        machine: &plan.host_name,
        source: Source {
            address: source,
            sha256: journal.source_sha256.as_deref(),
        },
        system: opened.map(|opened| System {
            name: opened.os.as_deref(),
            architecture: &opened.architecture,
        }),
        layout: Part::all(volumes, places),
        packages: &journal.packages,
        ansible: ansible(plan, command, journal),
        first_boot: &journal.first_boot,
        phases: &journal.phases,
        tasks: &journal.tasks,
        outputs,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("it is written to memory");
    text.push('\n');
    text
}

fn ansible<'a>(
    plan: &'a AnsiblePlan,
    command: &AnsibleCommand,
    journal: &'a Journal,
) -> Ansible<'a> {
    let playbook = plan.playbook.name();
    let folder = playbook.parent().filter(|folder| folder.is_dir());
    let secrets: Vec<&str> = plan.secrets.iter().map(|secret| &*secret.name).collect();
    let variables = plan.known.all().filter(|(name, _)| !secrets.contains(name));
    Ansible {
        core: library::find(command.program()).and_then(|folder| library::version(&folder)),
        collections: &journal.collections,
        playbook: playbook.display().to_string(),
        commit: folder.and_then(commit),
        variables: variables
            .map(|(name, value)| (name, manifest::shown(name, value)))
            .collect(),
        secrets,
    }
}

/// The commit of the repository that `folder` is in; `None` where it is in none.
fn commit(folder: &Path) -> Option<Commit> {
    let git = |args: &[&str]| {
        // Whose the repository is does not matter: the playbook in it has just been run.
        let first = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"];
        let args: Vec<_> = first.iter().chain(args).map(OsString::from).collect();
        let around = Surroundings {
            dir: folder,
            env: &[
                ("PATH".into(), command::search_path()),
                ("GIT_OPTIONAL_LOCKS".into(), "0".into()),
            ],
            limit: LIMIT,
        };
        let output = command::output_in(&around, "git".as_ref(), &args).ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    Some(Commit {
        id: git(&["rev-parse", "HEAD"])?,
        clean: git(&["status", "--porcelain"])?.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_commit_and_whether_it_is_all_that_there_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(commit(folder.path()), None);
        let git = |args: &[&str]| {
            let user = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
            let done = Command::new("git")
                .args(user)
                .args(args)
                .current_dir(folder.path())
                .output();
            assert!(done.unwrap().status.success(), "{args:?}");
        };
        git(&["init", "-q"]);
        std::fs::write(folder.path().join("site.yml"), "").unwrap();
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "one"]);
        let first = commit(folder.path()).unwrap();
        assert_eq!((first.id.len(), first.clean), (40, true));
        std::fs::write(folder.path().join("new.yml"), "").unwrap();
        let now = commit(folder.path()).unwrap();
        assert_eq!((now.id, now.clean), (first.id, false));
    }
}
