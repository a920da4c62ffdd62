//! ansible-playbook as the stage's job: the command, its files, its output and what its end means.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use secrecy::{SecretString, zeroize::Zeroizing};
use tokio::net::unix::pipe::Receiver;

use super::signals;
use crate::{
    ansible::{
        Connection, Play,
        ansible_cfg::Env,
        bundle,
        environment::{self, Setting},
        find, library,
        passwords::{Passwords, Question, questions},
        version,
    },
    chroot::{client, plan::ChrootPlan},
    config::{AnsiblePlan, Executor, Surroundings},
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    finish::plan::Beside,
    secrets::{self, prompt, redact},
    stage::{
        facts::Facts,
        handle::Output,
        protocol::{FILES, Job, NOTE},
        warm::Library,
    },
    sys::{children::Ending, command, private_files::PrivateFiles},
    ui::Ui,
};

/// What ansible-playbook exits with when it was interrupted (its documentation).
const INTERRUPTED: i32 = 99;

/// Which ansible-playbook is run, in which surroundings, with which secrets.
pub struct AnsibleCommand {
    around: Surroundings,
    program: PathBuf,
    secrets: Vec<(String, SecretString)>,
    passwords: Passwords,
}

impl AnsibleCommand {
    /// Finds it, as the plan says.
    pub fn find(plan: &AnsiblePlan, around: Surroundings) -> Result<Self> {
        let command = plan.command.as_deref();
        let venv = around.venv.as_deref();
        let program = find::ansible_playbook(command, &around.env, &around.cwd, venv)?;
        version::check(&program)?;
        if plan.executor == Executor::Fast {
            around.has_connection_plugin()?;
        }
        Ok(AnsibleCommand {
            around,
            program,
            secrets: Vec::new(),
            passwords: Passwords::default(),
        })
    }

    /// Asks for the passwords that ansible-playbook would ask for; only for those that it needs to read the playbook, or
    /// only for the others. Without a terminal it is left to do so itself. Whether it is not.
    pub fn ask(&mut self, plan: &AnsiblePlan, to_read: bool, ui: &Ui) -> Result<bool> {
        let around = &self.around;
        let questions = questions(&plan.arguments, &around.env, &around.cwd).into_iter();
        let questions = questions.filter(|one| (*one != Question::Become) == to_read);
        let questions: Vec<_> = questions.collect();
        if !questions.is_empty() && !prompt::possible() {
            return Ok(false);
        }
        for question in questions {
            let typed = Zeroizing::new(prompt::ask(&question.prompt())?);
            let answer = SecretString::from(String::from_utf8_lossy(&typed).into_owned());
            if !typed.is_empty() {
                ui.keep_secret([answer.clone()]);
            }
            self.passwords.add(question, answer);
        }
        Ok(true)
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

    /// Which ansible-playbook it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What this process was started with.
    pub fn around(&self) -> &Surroundings {
        &self.around
    }

    /// The call of ansible-playbook for the plan's `playbook`, with these `arguments` of the user's, and for the guard
    /// the file of our connection plugin, the executor's socket and the file of its note.
    pub fn play<'a>(
        &self,
        plan: &'a AnsiblePlan,
        playbook: &'a Path,
        secrets: &'a [(String, SecretString)],
        arguments: &'a [OsString],
        connection: &'a Connection,
        (plugin, executor, note): (Option<&'a Path>, &'a Path, &'a Path),
    ) -> Play<'a> {
        Play {
            playbook,
            host_name: &plan.host_name,
            vars: &plan.vars,
            extra_vars: &plan.extra_vars,
            secrets,
            user: plan.user.as_deref(),
            inventories: &plan.inventories,
            limit: plan.limit.as_deref(),
            account: plan.finish.has(Beside::Manifest),
            verbosity: plan.verbosity,
            arguments,
            connection,
            plugin,
            executor,
            note,
        }
    }

    /// The environment for it, with its files in `folder`.
    pub fn environment(
        &self,
        plan: &AnsiblePlan,
        folder: &Path,
        secrets: bool,
        connection_plugins: Option<&Path>,
    ) -> Env {
        let setting = Setting {
            cwd: &self.around.cwd,
            folder,
            secrets,
            secret_names: &plan.secret_variables(),
            connection_plugins,
            terminal: io::stdout().is_terminal(),
        };
        let mut environment = environment::environment(&self.around.env, &setting);
        for variable in self.passwords.environment() {
            environment.insert(variable.into(), "false".into());
        }
        environment
    }

    /// `given`, with files of the passwords in place of what asks for them.
    pub fn arguments(&self, given: &[OsString], folder: &Path) -> Vec<OsString> {
        self.passwords.arguments(given, folder)
    }

    /// Adds those files to `files`.
    pub fn add_passwords_to(&self, files: &mut PrivateFiles) {
        self.passwords.add_to(files);
    }

    /// The ansible-playbook command with its files.
    pub fn job(&self, plan: &AnsiblePlan, dir: &Path, facts: &Facts, ui: &Ui) -> Result<Job> {
        let python = facts
            .python
            .as_deref()
            .unwrap_or(Path::new("/usr/bin/python3"));
        let python = python.to_string_lossy();
        let socket = ChrootPlan::socket(dir);
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
        let note = folder.join(NOTE);
        let guarded = (plugin.as_deref(), socket.as_path(), note.as_path());
        let playbook = plan.playbook.path(&bundle);
        let given = self.arguments(&plan.arguments, &folder);
        let play = self.play(plan, &playbook, &self.secrets, &given, &connection, guarded);
        let mut files = play.files();
        self.passwords.add_to(&mut files);
        if self.around.data_dir.is_none() {
            bundle::add_to(&mut files);
        }
        let arguments = play.arguments(&folder);
        ui.tell(Event::Running(command::shell_line(
            &self.program,
            &arguments,
        )));
        let environment =
            self.environment(plan, &folder, !self.secrets.is_empty(), ours.as_deref());
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
