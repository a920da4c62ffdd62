//! `pichroot publish`, and `--publish`: from an image to what its machine boots from.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, PipeReader},
    path::Path,
    sync::Arc,
};

use super::{
    need_root, opened,
    signals::{Signals, block_on},
    work::Image,
};
use crate::{
    config::{
        PublishPlan, Surroundings,
        publish::Action,
        targets::{OnCeph, Targets},
    },
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    netboot::{self, Finding, Verdict},
    publish::{
        configuration::{self, Known},
        place::{Current, Place},
        rbd::{self, Content, Rbd},
        tree::{self, Served},
    },
    secrets,
    stage::protocol::{Archive, Checks, Looked, Reading},
    ui::{self, Ui},
};

/// `pichroot publish`.
///
/// # Errors
/// Whatever keeps the image from being published; [`Kind::Image`] when a check fails.
pub fn run(plan: PublishPlan, around: &Surroundings, ui: &Ui) -> Result<()> {
    let publisher = Publisher::new(plan.targets, &around.env, ui)?;
    let Some(image) = &plan.image else {
        return publisher.roll_back(ui);
    };
    need_root()?;
    if plan.action == Action::Publish {
        publisher.early()?;
    }
    block_on(async {
        let mut signals = Signals::listen()?;
        let name = image.source.to_string();
        let base = opened::to_read(image, &mut signals, ui).await?;
        let read = Image {
            file: base.file(),
            name: &name,
            layout: image.settings.layout.as_ref(),
        };
        if plan.action == Action::Check {
            let looked = read.look(&mut signals, ui).await?;
            return publisher.check(read, &looked, true, &mut signals, ui).await;
        }
        let prepared = publisher.prepare(read, &mut signals, ui).await?;
        publisher.serve(prepared, ui)?;
        ui::text(&configuration::text(&publisher.targets.known()))
            .context(Kind::Other, || "cannot write to standard output".into())
    })
}

/// Publishes one machine's image.
pub struct Publisher {
    targets: Targets,
    rbd: Option<Arc<Rbd>>,
}

/// What is complete, and not served yet.
#[derive(Default)]
pub struct Prepared {
    trees: Vec<tree::Prepared>,
    device: Option<rbd::Prepared>,
}

impl Publisher {
    /// Fetches the key, if one is named, and finds the programs.
    ///
    /// # Errors
    /// [`Kind::Host`] when a program is missing; those of the key.
    pub fn new(targets: Targets, env: &BTreeMap<OsString, OsString>, ui: &Ui) -> Result<Self> {
        let rbd = match &targets.rbd {
            Some(OnCeph { ceph, key, .. }) => {
                let keys = secrets::resolve(key.as_slice(), env)?;
                let key = keys.first().map(|(_, key)| key);
                ui.keep_secret(key.cloned());
                Some(Arc::new(Rbd::find(ceph, key)?))
            }
            None => None,
        };
        Ok(Publisher { targets, rbd })
    }

    /// Looks at what is cheap to know before long work.
    ///
    /// # Errors
    /// As [`tree::Wanted::open`]; [`Kind::Host`] when the cluster does not answer.
    pub fn early(&self) -> Result<()> {
        self.trees().try_for_each(tree::Wanted::check)?;
        for wanted in self.trees() {
            wanted.open()?;
        }
        match (&self.targets.rbd, &self.rbd) {
            (Some(on), Some(rbd)) => on.wanted.check(rbd),
            _ => Ok(()),
        }
    }

    /// Makes the checks, and then everything that `image` becomes.
    ///
    /// # Errors
    /// [`Kind::Image`] when a check fails; whatever keeps it from being made.
    pub async fn prepare(
        &self,
        image: Image<'_>,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<Prepared> {
        let looked = image.look(signals, ui).await?;
        self.check(image, &looked, false, signals, ui).await?;
        let device = match (&self.targets.rbd, &self.rbd) {
            (Some(on), Some(rbd)) => Some(Device::of(on, rbd, image, &looked)?),
            _ => None,
        };
        if let Some(unchanged) = self.unchanged(image, &device, signals, ui).await? {
            unchanged.into_iter().for_each(|event| ui.tell(event));
            return Ok(Prepared::default());
        }
        for (wanted, _) in self.parts() {
            wanted.check_unchanged(&wanted.open()?)?;
        }
        let mut prepared = Prepared::default();
        for (wanted, what) in self.parts() {
            let (place, new, report) = (wanted.open()?, wanted.clone(), ui.clone());
            let made = move |mut stream: PipeReader| new.prepare(place, &mut stream, &report);
            let tree = through(&what, image, signals, ui, made).await?;
            prepared.trees.push(tree);
        }
        if let Some(Device {
            wanted,
            rbd,
            content,
        }) = device
        {
            let report = ui.clone();
            let made = move || wanted.prepare(&rbd, &content, &report);
            prepared.device = Some(signals.during(made).await?);
        }
        Ok(prepared)
    }

    /// What to tell where all of it is there already. Else all of it is made anew: so generations of a machine belong
    /// together, and a rollback never leaves it with a kernel of one and the modules of another.
    async fn unchanged(
        &self,
        image: Image<'_>,
        device: &Option<Device>,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<Option<Vec<Event>>> {
        let mut events = Vec::new();
        for (wanted, what) in self.parts() {
            let (place, same) = (wanted.open()?, wanted.clone());
            let known = matches!(place.current()?, Current::Ours(_));
            let looked = move |mut stream: PipeReader| same.is_there(&place, &mut stream);
            let generation = match known {
                true => through(&what, image, signals, ui, looked).await?,
                false => None,
            };
            let Some(generation) = generation else {
                return Ok(None);
            };
            events.push(Event::Unchanged {
                what: wanted.dir.join(&wanted.name).display().to_string(),
                generation,
            });
        }
        if let Some(Device {
            wanted,
            rbd,
            content,
        }) = device
        {
            let Some(generation) = wanted.is_there(rbd, content)? else {
                return Ok(None);
            };
            events.push(Event::Unchanged {
                what: format!("rbd {}", wanted.spec),
                generation,
            });
        }
        Ok(Some(events))
    }

    /// Has the servers serve what was prepared: the boot files last, which lead to all else.
    ///
    /// # Errors
    /// [`Kind::Host`] when something cannot be put in place.
    pub fn serve(&self, prepared: Prepared, ui: &Ui) -> Result<()> {
        if let (Some(device), Some(on)) = (prepared.device, &self.targets.rbd) {
            let (generation, before) = device.serve()?;
            ui.tell(Event::Published {
                what: format!("rbd {}", on.wanted.spec),
                generation,
                before,
            });
        }
        for tree in prepared.trees {
            ui.tell(published(tree.serve()?));
        }
        match &self.targets.configuration {
            Some(folder) => self.write_configuration(folder, ui),
            None => Ok(()),
        }
    }

    /// Serves everything again that was served before.
    fn roll_back(&self, ui: &Ui) -> Result<()> {
        // All or nothing, as far as that can be known.
        for wanted in self.trees() {
            tree::before(&Place::open(&wanted.dir, &wanted.name)?)?;
        }
        if let (Some(on), Some(rbd)) = (&self.targets.rbd, &self.rbd) {
            let (generation, before) = rbd::roll_back(&on.wanted, rbd)?;
            ui.tell(Event::Published {
                what: format!("rbd {}", on.wanted.spec),
                generation,
                before,
            });
        }
        for wanted in self.trees() {
            let place = Place::open(&wanted.dir, &wanted.name)?;
            ui.tell(published(tree::roll_back(place)?));
        }
        Ok(())
    }

    /// The trees, that of the boot files last.
    fn trees(&self) -> impl Iterator<Item = &tree::Wanted> {
        self.parts().into_iter().map(|(wanted, _)| wanted)
    }

    /// The trees, that of the boot files last, with what of the image each is.
    fn parts(&self) -> Vec<(&tree::Wanted, Reading)> {
        let archive = Archive { latest: None };
        let root = self.targets.nfs_root.iter();
        let boot = self.targets.tftp.iter();
        root.map(|wanted| (wanted, Reading::Root(archive)))
            .chain(boot.map(|wanted| (wanted, Reading::Boot(archive))))
            .collect()
    }

    /// Makes the checks, and tells what they found; with `asked` also what is in order.
    async fn check(
        &self,
        image: Image<'_>,
        looked: &Looked,
        asked: bool,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<()> {
        let Targets {
            machine, without, ..
        } = &self.targets;
        if looked.boot.is_none() && self.targets.tftp.is_none() && !asked {
            return Ok(());
        }
        let wanted = netboot::Wanted {
            directory: machine.directory.clone(),
            by_mac: machine.by_mac,
            boards: machine.board.into_iter().collect(),
            architecture: looked.arch,
            root: machine.root.clone(),
        };
        let mut without = without.clone();
        // Publishing makes everything readable, whatever the image's own mounts say.
        without.push(netboot::Name::Readable);
        let checks = Checks { wanted, without };
        let findings = image.check(checks, signals, ui).await?;
        let failed = findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Failed);
        let failed = failed.count();
        for finding in findings {
            ui.tell(found(finding, asked));
        }
        match failed {
            0 => Ok(()),
            number => Err(Error::image(format!(
                "{} would not boot from this: netboot checks have found {number} {}",
                machine.name,
                if number == 1 { "fault" } else { "faults" }
            ))
            .hint("mend what is named above; a check that is wrong here is left out by --no-check NAME")),
        }
    }

    fn write_configuration(&self, folder: &Path, ui: &Ui) -> Result<()> {
        let failed = || format!("cannot write to {}", folder.display());
        fs::create_dir_all(folder).context(Kind::Host, failed)?;
        for (name, text) in configuration::files(&self.targets.known()) {
            let path = folder.join(name);
            fs::write(&path, text).context(Kind::Host, failed)?;
            ui.tell(Event::Made(path));
        }
        Ok(())
    }
}

/// What `with` makes of the archive of `what`.
async fn through<T: Send + 'static>(
    what: &Reading,
    image: Image<'_>,
    signals: &mut Signals,
    ui: &Ui,
    with: impl FnOnce(PipeReader) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (stream, pipe) = io::pipe().context(Kind::Host, || "cannot make a pipe".into())?;
    let made = tokio::task::spawn_blocking(move || with(stream));
    let written = image.archive(what.clone(), pipe.into(), signals, ui).await;
    let made = made
        .await
        .context(Kind::Other, || "a worker thread panicked".into())?;
    // tar ends early if its archive is not taken: then that is the reason.
    let made = made?;
    written.map(|()| made)
}

/// The root file system as a block device.
struct Device {
    wanted: rbd::Wanted,
    rbd: Arc<Rbd>,
    content: Content,
}

impl Device {
    fn of(on: &OnCeph, rbd: &Arc<Rbd>, image: Image<'_>, looked: &Looked) -> Result<Self> {
        let volumes = image.volumes()?;
        let failed = || format!("cannot read {}", image.name);
        let size = image.file.metadata().context(Kind::Image, failed)?.len();
        let root = volumes
            .iter()
            .find(|volume| volume.partition.number == looked.root);
        let window = match (on.partition, root) {
            (Some(number), _) if number != looked.root => {
                return Err(Error::usage(format!(
                    "hn_ceph_partition is {number}, and the root is on partition {} of {}",
                    looked.root, image.name
                ))
                .hint("set it to that number and build the image anew, or leave it out: then the device has no table"));
            }
            (None, Some(root)) => {
                let start = root.partition.start;
                start..start + root.partition.size
            }
            _ => 0..size,
        };
        Ok(Device {
            wanted: on.wanted.clone(),
            rbd: rbd.clone(),
            content: Content::of(image.file, &volumes, window)?,
        })
    }
}

fn published(served: Served) -> Event {
    Event::Published {
        what: served.path.display().to_string(),
        generation: served.generation,
        before: served.before,
    }
}

fn found(finding: Finding, asked: bool) -> Event {
    Event::NetbootCheck {
        check: finding.check.to_string(),
        passed: match finding.verdict {
            Verdict::Passed => Some(true),
            Verdict::Failed => Some(false),
            Verdict::Unknown => None,
        },
        saw: finding.saw,
        place: finding.place,
        hint: finding.hint,
        asked,
    }
}

impl Targets {
    /// What the configuration of servers is made of.
    fn known(&self) -> Known<'_> {
        Known {
            machine: &self.machine.name,
            directory: self
                .machine
                .directory
                .as_deref()
                .filter(|_| self.tftp.is_some()),
            by_mac: self.machine.by_mac,
            tftp: self.tftp.as_ref().map(|wanted| wanted.dir.as_path()),
            nfs_root: self.nfs_root.as_ref().map(|wanted| wanted.dir.as_path()),
            rbd: self.rbd.as_ref().map(|on| &on.wanted.spec),
            user: self.machine.ceph_user.as_deref(),
        }
    }
}
