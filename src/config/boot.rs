//! The plan of `pichroot boot`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::{
    choice::Network,
    duration, extra_vars,
    given::GivenImage,
    image::{ImagePlan, Machine},
    known::Known,
    locations,
    read::read_config,
    source::source,
    surroundings::Surroundings,
};
use crate::{
    ansible::ExtraVars,
    boot::{console::Until, machine::Wanted, qemu::Size},
    error::{Context, Error, Kind, Result},
    sys::room,
};

/// How long a machine may take, where the user does not say: emulated ones take minutes.
const PATIENCE: &str = "10m";
/// What a machine has, where the user does not say.
const MEMORY: &str = "1G";
/// The same.
const PROCESSORS: u32 = 2;
/// What no Linux starts in, in bytes.
const LEAST_MEMORY: u64 = 64 << 20;
/// The most processors of the machine `virt`, with the oldest interrupt controller.
const MOST_PROCESSORS: u32 = 8;

/// What the command line says to `pichroot boot`.
#[derive(Default)]
pub struct GivenBoot {
    /// The image.
    pub image: String,
    /// What is said of it.
    pub source: GivenImage,
    /// `--until`.
    pub until: Option<String>,
    /// `--timeout`.
    pub timeout: Option<String>,
    /// `--playbook`.
    pub playbook: Option<PathBuf>,
    /// `--user`.
    pub user: Option<String>,
    /// `--private-key`.
    pub private_key: Option<PathBuf>,
    /// Each `-e`.
    pub extra_vars: Vec<String>,
    /// `--memory`.
    pub memory: Option<String>,
    /// `--cpus`.
    pub processors: Option<u32>,
    /// `--machine`.
    pub machine: Option<String>,
    /// `--uefi`.
    pub uefi: bool,
    /// Each `--append`.
    pub append: Vec<String>,
    /// `--network`.
    pub network: Option<Network>,
    /// What is after `--`, for ansible-playbook.
    pub rest: Vec<OsString>,
}

/// What `pichroot boot` is going to do. No `Debug`: variables may hold secrets.
pub struct BootPlan {
    /// The image.
    pub image: ImagePlan,
    /// What is waited for; without it, the console is the user's.
    pub until: Option<Until>,
    /// For how long.
    pub timeout: Duration,
    /// What is run against the machine then.
    pub playbook: Option<Verify>,
    /// The machine.
    pub machine: Wanted,
    /// What it has.
    pub size: Size,
    /// Further arguments of the kernel.
    pub append: Vec<String>,
    /// Whether it can reach others.
    pub network: Network,
}

/// A playbook for the machine that was booted.
pub struct Verify {
    /// The playbook.
    pub playbook: PathBuf,
    /// As whom one logs in.
    pub user: Option<String>,
    /// With which key.
    pub private_key: Option<PathBuf>,
    /// Extra variables.
    pub extra_vars: Vec<ExtraVars>,
    /// Further arguments for ansible-playbook.
    pub arguments: Vec<OsString>,
    /// Which ansible-playbook is used, where the configuration file says so.
    pub command: Option<PathBuf>,
}

impl BootPlan {
    /// Makes the plan from the command line and the configuration file.
    ///
    /// # Errors
    /// [`Kind::Usage`] for whatever is wrong.
    pub fn new(given: GivenBoot, around: &Surroundings) -> Result<Self> {
        let (file, folder) = read_config(given.source.config.as_deref(), &around.cwd)?;
        let asked = source(Some(&given.image), &given.source, (&file, &folder), around)?;
        let known = Known::new(&file.vars, &[]);
        let machine = Machine::new("boot", &known)?;
        let image = ImagePlan::new(asked, machine, &given.source, &file, around)?;
        let timeout = given.timeout.as_deref();
        if timeout.is_some() && given.until.is_none() && given.playbook.is_none() {
            return Err(Error::usage("--timeout has nothing to wait for")
                .hint("say what, by --until login, --until ssh or --until REGEX, or --playbook"));
        }
        let only_ssh = match (&given.playbook, given.until.as_deref()) {
            (Some(_), Some(until)) => until == "ssh",
            _ => true,
        };
        if !only_ssh {
            return Err(
                Error::usage("--playbook waits for the SSH server by itself")
                    .hint("leave out --until"),
            );
        }
        let until = match &given.playbook {
            Some(_) => Some(Until::Ssh),
            None => given.until.as_deref().map(Until::parse).transpose()?,
        };
        let command = file.ansible.command.as_deref();
        let command = command.map(|command| locations::program(command, &folder, around.home()));
        Ok(BootPlan {
            image,
            until,
            timeout: duration::parse(timeout.unwrap_or(PATIENCE), "--timeout")?,
            size: size(&given)?,
            machine: Wanted {
                model: given.machine.clone(),
                uefi: given.uefi,
            },
            append: given.append.clone(),
            network: given.network.or(file.network).unwrap_or_default(),
            playbook: verify(given, command, around)?,
        })
    }
}

fn size(given: &GivenBoot) -> Result<Size> {
    let text = given.memory.as_deref().unwrap_or(MEMORY);
    let memory = room::parse(text).filter(|memory| *memory >= LEAST_MEMORY);
    let memory = memory.ok_or_else(|| {
        Error::usage(format!(
            "--memory {text} is no size that a machine can start with"
        ))
        .hint("write it as in 512M or 2G")
    })?;
    let processors = given.processors.unwrap_or(PROCESSORS);
    if !(1..=MOST_PROCESSORS).contains(&processors) {
        return Err(Error::usage(format!("--cpus is {processors}"))
            .hint(format!("a machine has 1 to {MOST_PROCESSORS}")));
    }
    Ok(Size {
        memory: format!("{}M", memory >> 20),
        processors,
    })
}

fn verify(
    given: GivenBoot,
    command: Option<PathBuf>,
    around: &Surroundings,
) -> Result<Option<Verify>> {
    let cwd = &around.cwd;
    let Some(playbook) = given.playbook else {
        let only_with = [
            ("--user", given.user.is_some()),
            ("--private-key", given.private_key.is_some()),
            ("-e", !given.extra_vars.is_empty()),
            ("an argument after --", !given.rest.is_empty()),
        ];
        return match only_with.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(Error::usage(format!("{option} is for --playbook"))
                .hint("name the playbook, or leave it out")),
            None => Ok(None),
        };
    };
    let readable = |path: PathBuf, what: &str| {
        std::fs::File::open(&path)
            .context(Kind::Usage, || {
                format!("cannot read the {what} {}", path.display())
            })
            .map(|_| path)
    };
    let key = given
        .private_key
        .map(|path| readable(cwd.join(path), "key"));
    let vars = given.extra_vars.iter();
    Ok(Some(Verify {
        playbook: readable(cwd.join(playbook), "playbook")?,
        user: given.user,
        private_key: key.transpose()?,
        extra_vars: vars
            .map(|text| extra_vars::option(text, cwd))
            .collect::<Result<_>>()?,
        arguments: given.rest,
        command,
    }))
}
