//! The plan of an image: the same for `ansible`, `exec` and `shell`.

use std::path::{Path, PathBuf};

use super::{
    choice::{Emulation, FirstBoot, Live, Network, Shortcut, Shortcuts},
    file::File,
    given::GivenImage,
    known::Known,
    read::read_config,
    source::source,
    surroundings::Surroundings,
};
use crate::{
    chroot::{
        living::plan::LivingPlan,
        target::board::{self, Board},
    },
    disk::layout,
    error::{Error, Result},
    event::Event,
    image::{Asked, Named},
    shape::new,
    stage::protocol::Settings,
    twins::place::TwinSettings,
};

/// The host name that `exec` and `shell` see.
const HOST_NAME: &str = "pichroot";

/// Which image is opened, and how its programs are run.
#[derive(Debug)]
pub struct ImagePlan {
    /// Which it is, and what it must be.
    pub source: Asked,
    /// The image that is made of it, if it is none itself.
    pub new: Option<new::Plan>,
    /// The folder for what is kept between runs.
    pub cache: PathBuf,
    /// How the stage mounts it and runs its programs.
    pub settings: Settings,
    /// What to say with `-v`.
    pub notes: Vec<Event>,
}

/// What `pichroot exec` and `pichroot shell` are going to do with an image.
#[derive(Debug)]
pub struct CommandPlan {
    /// The image.
    pub image: ImagePlan,
    /// Whether it is changed in place, in place of a copy that is thrown away.
    pub write: bool,
    /// The environment for the command: the caller's.
    pub environment: Vec<(String, String)>,
}

impl CommandPlan {
    /// Makes the plan from the command line and the configuration file, as [`AnsiblePlan::new`]
    /// does.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] for whatever is wrong, with its path or name and a hint.
    ///
    /// [`AnsiblePlan::new`]: super::AnsiblePlan::new
    pub fn new(image: &str, write: bool, given: GivenImage, around: &Surroundings) -> Result<Self> {
        let (file, folder) = read_config(given.config.as_deref(), &around.cwd)?;
        let source = source(Some(image), &given, (&file, &folder), around)?;
        if write && source.path().is_none() {
            let what = match &source {
                Asked::Name(Named { path, .. }) => format!("there is no image {}", path.display()),
                Asked::Source(_) => format!("{source} is not a local image"),
            };
            return Err(Error::usage(what).hint("download it first, or leave out --write"));
        }
        let known = Known::new(&file.vars, &[]);
        let machine = Machine::new(HOST_NAME, &known)?;
        let mut image = ImagePlan::new(source, machine, &given, &file, around)?;
        let settings = &mut image.settings;
        settings.term = around.text("TERM").unwrap_or("dumb").to_owned();
        // Who asks for an initramfs waits for it.
        settings.shortcuts.initramfs = false;
        if write && settings.shortcuts.sync {
            settings.shortcuts.sync = false;
            image.notes.push(Event::NoShortcut {
                name: "sync".into(),
                why: "--write keeps what is changed".into(),
            });
        }
        Ok(CommandPlan {
            image,
            write,
            environment: around.utf8(),
        })
    }
}

/// The machine that the image is for, as far as variables name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine<'a> {
    /// The host name that programs see.
    name: &'a str,
    board: Option<Board>,
}

impl<'a> Machine<'a> {
    /// # Errors
    /// [`crate::error::Kind::Usage`] for a board that nobody knows.
    pub(super) fn new(name: &'a str, known: &Known) -> Result<Self> {
        let board = known.get(board::VARIABLE).map(Board::named);
        Ok(Machine {
            name,
            board: board.transpose()?,
        })
    }
}

impl ImagePlan {
    /// The plan for `source`, which becomes `machine`, from what is given and what the file says.
    pub(super) fn new(
        source: Asked,
        machine: Machine<'_>,
        given: &GivenImage,
        file: &File,
        around: &Surroundings,
    ) -> Result<Self> {
        let cache = around.cache_dir()?;
        let emulation = given.emulation.or(file.emulation).unwrap_or_default();
        let network = given.network.or(file.network).unwrap_or_default();
        let without = given.no_shortcuts.iter().copied();
        let mut shortcuts = without.fold(file.shortcuts, Shortcuts::without);
        let mut notes = Vec::new();
        if let Some(why) = why_no_packages(network, around) {
            if shortcuts.packages {
                notes.extend(why);
            }
            shortcuts = shortcuts.without(Shortcut::Packages);
        }
        let layout = file
            .image
            .layout
            .as_ref()
            .map(layout::Given::check)
            .transpose()?;
        Ok(ImagePlan {
            new: None,
            settings: Settings {
                layout,
                hostname: machine.name.to_owned(),
                emulation,
                cpu: around.text("QEMU_CPU").map(str::to_owned),
                least_cpu: None,
                board: machine.board,
                twins: twins(emulation, network, &cache, around),
                network,
                term: "dumb".into(),
                living: living(given, file),
                packages: shortcuts.packages.then(|| cache.join("packages")),
                shortcuts,
            },
            source,
            cache,
            notes,
        })
    }
}

/// How programs that act on a running machine are answered, if they are.
fn living(given: &GivenImage, file: &File) -> Option<LivingPlan> {
    let first_boot = given.first_boot.or(file.first_boot).unwrap_or_default();
    match given.live.or(file.live).unwrap_or_default() {
        Live::FirstBoot => Some(LivingPlan {
            first_boot: first_boot == FirstBoot::On,
        }),
        Live::Fail => None,
    }
}

/// Why packages are not kept for other runs, where they are not, with what there is to say of it.
///
/// Not without a network. And where this machine has a proxy, only that one reaches the servers,
/// and the image knows it from its own configuration or the playbook: then apt is left alone.
fn why_no_packages(network: Network, around: &Surroundings) -> Option<Option<Event>> {
    if network == Network::None {
        return Some(None);
    }
    around.variable("http_proxy").map(|_| {
        Some(Event::NoShortcut {
            name: "packages".into(),
            why: "this machine has an http_proxy".into(),
        })
    })
}

/// Where twins come from; `None` if `emulation` is without.
fn twins(
    emulation: Emulation,
    network: Network,
    cache: &Path,
    around: &Surroundings,
) -> Option<TwinSettings> {
    let path = around.text("PATH").map(|path| ("PATH".into(), path.into()));
    let environment = around.proxies().into_iter().chain(path);
    matches!(emulation, Emulation::Auto | Emulation::Twin).then(|| TwinSettings {
        cache: cache.join("twins"),
        // Who wants no network means all of the run.
        fetch: network == Network::Host,
        environment: environment.collect(),
    })
}
