//! ansible-playbook as it only reads the playbook: it needs no image for that, no root and no secrets.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    job::{self, AnsibleCommand},
    signals::Signals,
};
use crate::{
    ansible::{Connection, ansible_cfg::Env, bundle},
    config::{AnsiblePlan, playbook::Playbook},
    error::{Context, Kind, Result},
    event::{Event, Report},
    sys::{children::Ending, command, scratch::Scratch},
    ui::Ui,
};

/// How the names of folders with its files begin.
const PREFIX: &str = "pichroot-files-";

/// What a secret is while nobody needs it.
const STAND_IN: &str = "secret";

/// A call of ansible-playbook, with its files.
pub struct Listing {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Env,
    /// With the files in it.
    _directory: Scratch,
}

impl Listing {
    /// Prepares it, with these `arguments` of the user's; one of them has to make it only list.
    pub fn new(
        command: &AnsibleCommand,
        plan: &AnsiblePlan,
        arguments: &[OsString],
    ) -> Result<Self> {
        let around = command.around();
        let directory = Scratch::make(&around.in_memory(), PREFIX.as_ref())?;
        let folder = directory.path();
        // Of a form that Ansible takes, and leading nowhere: nothing is ever asked to connect.
        let nowhere = folder.join("none");
        let connection = Connection::fast(&nowhere, &nowhere, "/usr/bin/python3");
        let secrets = plan.secrets.iter();
        let secrets: Vec<_> = secrets
            .map(|one| (one.name.clone(), STAND_IN.into()))
            .collect();
        let playbook = plan.playbook.path(&around.bundle(folder));
        let given = command.arguments(arguments, folder);
        let note = folder.join("note");
        let play = command.play(
            plan,
            &playbook,
            &secrets,
            &given,
            &connection,
            (None, &nowhere, &note),
        );
        let mut files = play.files();
        command.add_passwords_to(&mut files);
        if around.data_dir.is_none() && matches!(plan.playbook, Playbook::Bundled(_)) {
            bundle::add_to(&mut files);
        }
        files.write(folder)?;
        Ok(Listing {
            program: command.program().to_owned(),
            arguments: play.arguments(folder),
            environment: command.environment(plan, folder, false, None),
            _directory: directory,
        })
    }

    /// What it prints, where it has nothing to complain of.
    pub fn read(&self, ui: &Ui) -> Result<String> {
        let mut command = self.command();
        // The run itself has the same to say.
        command
            .env("ANSIBLE_LOG_PATH", "/dev/null")
            .stdin(Stdio::null());
        let failed = || cannot_run(&self.program);
        let output = command.output().context(Kind::Host, failed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            ui.said(&text(&output.stderr));
        }
        let hint = "what is wrong is above; nothing has been fetched yet";
        job::verdict(output.status.into()).map_err(|error| error.better_hint(hint))?;
        Ok(text(&output.stdout))
    }

    /// Runs it on our own standard streams.
    pub async fn show(&self, signals: &mut Signals, ui: &Ui) -> Result<Ending> {
        ui.tell(Event::Running(command::shell_line(
            &self.program,
            &self.arguments,
        )));
        let failed = || cannot_run(&self.program);
        let mut command = tokio::process::Command::from(self.command());
        let started = command.kill_on_drop(true).spawn();
        let mut child = started.context(Kind::Host, failed)?;
        let status = signals.until(child.wait()).await?;
        Ok(status.context(Kind::Host, failed)?.into())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment);
        command::ends_with_us(&mut command);
        command
    }
}

fn cannot_run(program: &Path) -> String {
    format!("cannot run {}", program.display())
}

/// `pichroot ansible` with `--list-tasks` and the like.
///
/// # Errors
/// When ansible-playbook finds something wrong, or was stopped.
pub async fn list(command: &AnsibleCommand, plan: &AnsiblePlan, ui: &Ui) -> Result<()> {
    let mut signals = Signals::listen()?;
    let listing = Listing::new(command, plan, &plan.arguments)?;
    let ending = listing.show(&mut signals, ui).await?;
    job::verdict(ending).map_err(|error| error.better_hint("what is wrong is above"))
}
