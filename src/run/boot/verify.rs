//! ansible-playbook against a machine that was booted.

use std::{
    ffi::OsStr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use crate::{
    ansible::{booted::Booted, find},
    config::{Surroundings, boot::Verify},
    error::{Context, Kind, Result},
    event::{Event, Report},
    run::job,
    sys::{
        command,
        run_as::{self, Account},
        scratch::{self, Scratch},
    },
    ui::Ui,
};

/// How the names of folders with its files begin.
const PREFIX: &str = "pichroot-boot-";

/// A playbook, and what runs it.
pub struct Verification<'a> {
    verify: &'a Verify,
    around: &'a Surroundings,
    program: PathBuf,
}

impl<'a> Verification<'a> {
    /// Finds ansible-playbook.
    pub fn find(verify: &'a Verify, around: &'a Surroundings) -> Result<Self> {
        let (command, venv) = (verify.command.as_deref(), around.venv.as_deref());
        let program = find::ansible_playbook(command, &around.env, &around.cwd, venv)?;
        Ok(Verification {
            verify,
            around,
            program,
        })
    }

    /// Starts it for the machine `name`, as whoever has called us: the keys, roles and collections are theirs.
    pub fn run(&self, name: &str, port: u16, ui: &Ui) -> Result<Play> {
        let place = self.around.in_memory();
        scratch::sweep(&place, OsStr::new(PREFIX));
        let folder = Scratch::make(&place, OsStr::new(PREFIX))?;
        let booted = Booted {
            playbook: &self.verify.playbook,
            name,
            port,
            user: self.verify.user.as_deref(),
            private_key: self.verify.private_key.as_deref(),
            extra_vars: &self.verify.extra_vars,
            arguments: &self.verify.arguments,
        };
        booted.files().write(folder.path())?;
        let account = self
            .around
            .caller()
            .map(|(user, group)| Account::of(user, group));
        if let Some(account) = &account {
            let (user, group) = account.ids();
            for path in all_in(folder.path()) {
                chown(&path, Some(user), Some(group)).context(Kind::Host, || {
                    format!("cannot give {} away", path.display())
                })?;
            }
        }
        let arguments = booted.arguments(folder.path());
        ui.tell(Event::Running(command::shell_line(
            &self.program,
            &arguments,
        )));
        let mut command = std::process::Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.around.env)
            .current_dir(&self.around.cwd);
        match &account {
            Some(account) => run_as::prepare(&mut command, account, Vec::new(), false),
            None => command::ends_with_us(&mut command),
        }
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn();
        let failed = || format!("cannot run {}", self.program.display());
        Ok(Play {
            child: child.context(Kind::Host, failed)?,
            _folder: folder,
        })
    }
}

/// ansible-playbook while it runs.
pub struct Play {
    child: tokio::process::Child,
    /// With the files in it.
    _folder: Scratch,
}

impl Play {
    /// Waits for its end; what that means.
    pub async fn end(mut self) -> Result<()> {
        let ended = self.child.wait().await;
        let ended = ended.context(Kind::Host, || "cannot wait for ansible-playbook".into())?;
        job::verdict(ended.into()).map_err(|error| match error.kind() {
            Kind::Playbook => error.better_hint(
                "what failed is above; --user and --private-key say how to log in to the machine",
            ),
            _ => error,
        })
    }
}

/// The folder and all that is in it.
fn all_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path()));
        next += 1;
    }
    found
}
