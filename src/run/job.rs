//! ansible-playbook as the stage's job: the command, its files, its output and what its end means.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use tokio::net::unix::pipe::Receiver;

use super::signals;
use crate::{
    ansible::{
        Connection, Play, bundle,
        environment::{self, Setting},
        find, library,
    },
    chroot::{client, plan::ChrootPlan},
    config::{AnsiblePlan, Executor, Surroundings},
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    secrets::{self, redact},
    stage::{
        facts::Facts,
        handle::Output,
        protocol::{FILES, Job, NOTE},
        warm::Library,
    },
    sys::{children::Ending, command},
    ui::Ui,
};

/// What ansible-playbook exits with when it was interrupted (its documentation).
const INTERRUPTED: i32 = 99;

/// Which ansible-playbook is run, in which surroundings, with which secrets.
pub struct AnsibleCommand {
    around: Surroundings,
    program: PathBuf,
    secrets: Vec<(String, SecretString)>,
}

impl AnsibleCommand {
    /// Finds it, as the plan says.
    pub fn find(plan: &AnsiblePlan, around: Surroundings) -> Result<Self> {
        let command = plan.command.as_deref();
        let venv = around.venv.as_deref();
        let program = find::ansible_playbook(command, &around.env, &around.cwd, venv)?;
        if plan.executor == Executor::Fast {
            around.has_connection_plugin()?;
        }
        Ok(AnsibleCommand {
            around,
            program,
            secrets: Vec::new(),
        })
    }

    /// Fetches the plan's secrets; from now on `ui` shows none of them.
    pub fn with_secrets(mut self, plan: &AnsiblePlan, ui: &Ui) -> Result<Self> {
        let (env, cwd) = (&self.around.env, &self.around.cwd);
        let secrets = secrets::resolve(&plan.secrets, env)?;
        for (name, value) in &secrets {
            if redact::is_too_short(value) {
                ui.tell(Event::ShortSecret(name.clone()));
            }
        }
        if let Some(log) = environment::log_path(env, cwd).filter(|_| !secrets.is_empty()) {
            ui.tell(Event::NoAnsibleLog(log));
        }
        ui.keep_secret(secrets.iter().map(|(_, value)| value.clone()));
        self.secrets = secrets;
        Ok(self)
    }

    /// The ansible-playbook command with its files.
    pub fn job(&self, plan: &AnsiblePlan, dir: &Path, facts: &Facts, ui: &Ui) -> Result<Job> {
        let python = facts
            .python
            .as_deref()
            .unwrap_or(Path::new("/usr/bin/python3"));
        let python = python.to_string_lossy();
        let (connection, library) = match plan.executor {
            Executor::Fast => {
                let library = library::find(&self.program).and_then(|folder| {
                    Some(Library {
                        interpreter: python.to_string(),
                        made_up: library::made_up(&folder)?,
                        folder,
                        import: library::imports(),
                    })
                });
                let socket = ChrootPlan::socket(dir);
                (Connection::fast(&facts.root, &socket, &python), library)
            }
            Executor::Plain => {
                let client = dir.join(client::NAME);
                (Connection::plain(&facts.root, &client, &python), None)
            }
        };
        let folder = dir.join(FILES);
        let bundle = self.around.bundle(&folder);
        let ours = bundle.join(bundle::CONNECTION_PLUGINS);
        let ours = (plan.executor == Executor::Fast).then_some(ours);
        let plugin = ours.as_ref().map(|folder| folder.join("chroot.py"));
        let play = Play {
            playbook: &plan.playbook.path(&bundle),
            host_name: &plan.host_name,
            vars: &plan.vars,
            extra_vars: &plan.extra_vars,
            secrets: &self.secrets,
            user: plan.user.as_deref(),
            inventories: &plan.inventories,
            limit: plan.limit.as_deref(),
            verbosity: plan.verbosity,
            arguments: &plan.arguments,
            connection: &connection,
            plugin: plugin.as_deref(),
            note: &folder.join(NOTE),
        };
        let mut files = play.files();
        if self.around.data_dir.is_none() {
            bundle::add_to(&mut files);
        }
        let arguments = play.arguments(&folder);
        ui.tell(Event::Running(command::shell_line(
            &self.program,
            &arguments,
        )));
        let environment = environment::environment(
            &self.around.env,
            &Setting {
                cwd: &self.around.cwd,
                folder: &folder,
                secrets: !self.secrets.is_empty(),
                secret_names: &plan.secret_variables(),
                connection_plugins: ours.as_deref(),
                terminal: io::stdout().is_terminal(),
            },
        );
        Ok(Job {
            argv: std::iter::once(self.program.clone().into_os_string())
                .chain(arguments)
                .map(utf8)
                .collect::<Result<_>>()?,
            environment: environment
                .into_iter()
                .map(|(key, value)| Ok((utf8(key)?, utf8(value)?)))
                .collect::<Result<_>>()?,
            files,
            library,
        })
    }
}

/// Pipes for what ansible-playbook prints: the stage's ends, and ours.
pub fn streams() -> Result<(Output, [Receiver; 2])> {
    let failed = || "cannot make a pipe".to_owned();
    let one = || {
        let (ours, theirs) = io::pipe().context(Kind::Host, failed)?;
        let ours = Receiver::from_owned_fd(ours.into()).context(Kind::Host, failed)?;
        Ok::<_, Error>((ours, theirs.into()))
    };
    let (out, stdout) = one()?;
    let (err, stderr) = one()?;
    Ok((Output { stdout, stderr }, [out, err]))
}

/// What the end of ansible-playbook means for the run.
pub fn verdict(ending: Ending) -> Result<()> {
    match ending {
        Ending::Code(0) => Ok(()),
        Ending::Code(INTERRUPTED) => Err(signals::interrupted(nix::sys::signal::Signal::SIGINT)),
        Ending::Code(code) => Err(Error::new(
            Kind::Playbook,
            format!("ansible-playbook ended with exit code {code}"),
        )
        .hint("what failed is above; docs/limits.md tells what a chroot cannot do; --on-error keep keeps the image for a look")),
        Ending::Signal(number) => Err(Error::new(
            Kind::Playbook,
            format!("ansible-playbook was killed by signal {number}"),
        )
        .hint("did the host run out of memory? see the kernel's log")),
    }
}

fn utf8(text: OsString) -> Result<String> {
    text.into_string().map_err(|text| {
        Error::usage(format!("{} is not UTF-8", text.display()))
            .hint("Ansible needs UTF-8 in arguments and environment")
    })
}
