//! `pichroot ansible`: from the command line to the finished image.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use tokio::net::unix::pipe::Receiver;

use super::{
    args::AnsibleArgs,
    deferred, need_root,
    session::{self, Session},
    signals::{Signals, block_on},
};
use crate::{
    ansible::{
        Connection, Play, bundle,
        environment::{self, Setting},
        find, library,
    },
    chroot::{client, plan::ChrootPlan},
    config::{AnsiblePlan, Executor, OnError, Surroundings},
    error::{Context, Error, Kind, Result},
    image::{self, Cache, Source, WorkImage, check_output},
    report::Report,
    secrets::{self, redact},
    stage::{
        directory::Directory,
        facts::Facts,
        handle::Output,
        protocol::{FILES, Job, StagePlan},
        warm::Library,
    },
    sys::{children::Ending, command},
    twins::place::starts::Starts,
    ui::{Ui, relay},
};

/// What ansible-playbook exits with when it was interrupted (its documentation).
const INTERRUPTED: i32 = 99;

/// Everything that is decided before any work begins.
struct Run {
    plan: AnsiblePlan,
    around: Surroundings,
    ansible_playbook: PathBuf,
    secrets: Vec<(String, SecretString)>,
}

/// `pichroot ansible PLAYBOOK`.
pub fn run(args: AnsibleArgs, ui: &Ui) -> Result<()> {
    let around = Surroundings::of_process()?;
    let plan = AnsiblePlan::new(args.into(), &around)?;
    need_root()?;
    let command = plan.command.as_deref();
    let ansible_playbook =
        find::ansible_playbook(command, &around.env, &around.cwd, around.venv.as_deref())?;
    if plan.executor == Executor::Fast {
        around.has_connection_plugin()?;
    }
    let source = Source::parse(&plan.image, plan.checksum.as_deref())?;
    if !plan.changes_nothing {
        check_output(&plan.output, plan.force, &source)?;
    }
    let cache = Cache::open(&Cache::default_dir()?)?;
    let _lock = cache.lock_output(&plan.output)?;
    let secrets = secrets::resolve(&plan.secrets, &around.env)?;
    for (name, value) in &secrets {
        if redact::is_too_short(value) {
            ui.warning(&format!(
                "secret {name} is too short to be kept out of the output"
            ));
        }
    }
    if let Some(log) =
        environment::log_path(&around.env, &around.cwd).filter(|_| !secrets.is_empty())
    {
        ui.warning(&format!(
            "Ansible's log {log} is not written: it would hold the secrets"
        ));
    }
    ui.keep_secret(secrets.iter().map(|(_, value)| value.clone()));
    let run = Run {
        plan,
        around,
        ansible_playbook,
        secrets,
    };
    block_on(run.whole(source, cache, ui))
}

impl Run {
    async fn whole(&self, source: Source, cache: Cache, ui: &Ui) -> Result<()> {
        let mut signals = Signals::listen()?;
        let plan = &self.plan;
        // Without what may be secret in a URL.
        let name = source.location.to_string();
        let (report, output) = (ui.clone(), plan.output.clone());
        let force = plan.force || plan.changes_nothing;
        let work = signals
            .during(move || {
                let base = image::fetch(&cache, &source, &report)?;
                WorkImage::create(&base, &output, force, &report)
            })
            .await?;
        match self.provision(&work, &name, signals, ui).await {
            Ok(()) if plan.changes_nothing => Ok(()),
            Ok(()) => {
                work.publish()?;
                ui.step(&format!("made {}", plan.output.display()));
                Ok(())
            }
            Err(error) if plan.on_error == OnError::Keep => {
                let kept = work.keep()?;
                ui.step(&format!("kept the work image as {}", kept.display()));
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the playbook in the work image; it is unmounted and checked afterwards.
    async fn provision(
        &self,
        work: &WorkImage,
        name: &str,
        signals: Signals,
        ui: &Ui,
    ) -> Result<()> {
        let plan = &self.plan;
        let directory = Directory::make()?;
        let dir = directory.path().to_owned();
        let stage_plan = StagePlan {
            dir: dir.clone(),
            volumes: session::volumes(work.file(), Path::new(name))?,
            layout: plan.layout.clone(),
            hostname: plan.host_name.clone(),
            emulation: plan.emulation,
            cpu: session::cpu(),
            twins: session::twins(plan.emulation, plan.network, &Cache::default_dir()?),
            network: plan.network,
            term: "dumb".into(),
            packages: session::packages(plan.shortcuts, plan.network, ui),
            shortcuts: plan.shortcuts,
        };
        let (output, streams) = streams()?;
        let mut session = Session::start(work.file(), name, directory, signals, Some(&output), ui)?;
        // Only the stage's copies keep the pipes open now.
        drop(output);
        let facts = session.open(stage_plan).await?;
        ui.step(&describe(&facts));
        let job = self.job(&dir, &facts, ui)?;
        let [stdout, stderr] = streams;
        let shown = (
            tokio::spawn(relay(stdout, io::stdout(), ui.redactor())),
            tokio::spawn(relay(stderr, io::stderr(), ui.redactor())),
        );
        let mut ended = session.run(job).await.and_then(verdict);
        let kept = plan.on_error == OnError::Keep;
        if ended.is_ok() {
            ended = deferred::finish(&mut session, &dir, &facts, kept, ui).await;
        } else if kept {
            deferred::warn(&mut session, ui).await;
        }
        // Who stopped the run waits for its end, and the image is thrown away: then the kernel takes
        // everything apart.
        let stopped = matches!(&ended, Err(error) if matches!(error.kind(), Kind::Signal(_)));
        let closed = if stopped && plan.on_error == OnError::Cleanup {
            drop(session);
            Ok((true, Starts::default()))
        } else {
            session.close().await
        };
        // The stage is gone, and with it the other end of the pipes.
        let _ = tokio::join!(shown.0, shown.1);
        // A task often fails because of what only the unmounting tells, such as a full disk.
        if let (Err(_), Err(error)) = (&ended, &closed) {
            ui.warning(&error.to_string());
        }
        ended?;
        let (used, starts) = closed?;
        if let Some(text) = starts.summary(if plan.verbosity > 0 { usize::MAX } else { 5 }) {
            ui.step(&text);
        }
        if !used && !plan.changes_nothing {
            ui.warning(&format!(
                "the playbook ran nothing in the image; does a play of it match {}?",
                plan.host_name
            ));
        }
        Ok(())
    }

    /// The ansible-playbook command with its files.
    fn job(&self, dir: &Path, facts: &Facts, ui: &Ui) -> Result<Job> {
        let plan = &self.plan;
        let python = facts
            .python
            .as_deref()
            .unwrap_or(Path::new("/usr/bin/python3"));
        let python = python.to_string_lossy();
        let (connection, library) = match plan.executor {
            Executor::Fast => {
                let library = library::find(&self.ansible_playbook).and_then(|folder| {
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
        };
        let mut files = play.files();
        if self.around.data_dir.is_none() {
            bundle::add_to(&mut files);
        }
        let arguments = play.arguments(&folder);
        ui.detail(&command::shell_line(&self.ansible_playbook, &arguments));
        let environment = environment::environment(
            &self.around.env,
            &Setting {
                cwd: &self.around.cwd,
                local_temp: &folder.join("tmp"),
                secrets: !self.secrets.is_empty(),
                secret_names: &plan.secret_variables(),
                connection_plugins: (plan.executor == Executor::Fast).then_some(&*ours),
                terminal: io::stdout().is_terminal(),
            },
        );
        Ok(Job {
            argv: std::iter::once(self.ansible_playbook.clone().into_os_string())
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
fn streams() -> Result<(Output, [Receiver; 2])> {
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

fn describe(facts: &Facts) -> String {
    let os = facts.os.as_deref().unwrap_or("a Linux");
    let how = match &facts.emulator {
        Some(program) => format!("by {}", program.display()),
        None => "natively".into(),
    };
    let places = facts
        .mounts
        .iter()
        .map(|(number, at)| format!("{number} on {}", at.display()));
    let places = places.collect::<Vec<_>>().join(", ");
    format!("{os} for {}, run {how}; partitions {places}", facts.arch)
}

/// What the end of ansible-playbook means for the run.
fn verdict(ending: Ending) -> Result<()> {
    match ending {
        Ending::Code(0) => Ok(()),
        Ending::Code(INTERRUPTED) => Err(super::signals::interrupted(
            nix::sys::signal::Signal::SIGINT,
        )),
        Ending::Code(code) => Err(Error::new(
            Kind::Playbook,
            format!("ansible-playbook ended with exit code {code}"),
        )
        .hint("what failed is above; --on-error keep keeps the image for a look")),
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
