//! The file that a command's image is mounted from.

use std::{fs::File, path::Path};

use nix::fcntl::{Flock, FlockArg};

use super::{early, processor, signals::Signals};
use crate::{
    config::{CommandPlan, ImagePlan},
    error::{Context, Error, Kind, Result},
    image::{self, Asked, BaseImage, Cache, Location, Source, WorkImage},
    stage::protocol::Settings,
    sys::in_use,
    ui::Ui,
};

/// The file to mount, until it is dropped.
pub enum Opened {
    /// The image itself.
    InPlace(Flock<File>),
    /// A copy that is thrown away.
    Copy(WorkImage),
}

/// How the stage opens a source that was found: where the user asks for no processor, with the one that the catalogue
/// tells.
pub fn settings(plan: &ImagePlan, source: &Source) -> Settings {
    let mut settings = plan.settings.clone();
    let listed = source.listed.as_ref();
    let processor = listed.and_then(|listed| processor::of(&listed.devices));
    settings.least_cpu = processor.map(str::to_owned);
    settings
}

/// The image of `plan`, to be read and not changed: so it needs no copy.
pub async fn to_read(plan: &ImagePlan, signals: &mut Signals, ui: &Ui) -> Result<BaseImage> {
    let cache = Cache::open(&plan.cache)?;
    let (asked, report) = (plan.source.clone(), ui.clone());
    let fetched = move || {
        let source = asked.find(&cache, &report)?;
        image::fetch(&cache, &source, &report)
    };
    signals.during(fetched).await
}

impl Opened {
    /// Fetches or locks what the plan says; with it comes how the stage opens it.
    pub async fn open(
        plan: &CommandPlan,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<(Self, Settings)> {
        let report = ui.clone();
        match &plan.image.source {
            Asked::Source(
                source @ Source {
                    location: Location::Path(path),
                    ..
                },
            ) if plan.write => {
                // Locked before it is verified: another run may be changing it.
                let file = lock(path)?;
                let source = source.clone();
                let verified = move || image::verify_in_place(&source, &report);
                signals.during(verified).await?;
                Ok((Opened::InPlace(file), plan.image.settings.clone()))
            }
            _ => {
                let (work, source) = Self::copy(&plan.image, true, signals, ui).await?;
                Ok((Opened::Copy(work), settings(&plan.image, &source)))
            }
        }
    }

    /// A copy that is thrown away, and what it is of. Where its programs are to `run`, it is looked at first whether this
    /// machine can do that.
    pub async fn copy(
        plan: &ImagePlan,
        run: bool,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<(WorkImage, Source)> {
        let report = ui.clone();
        let cache = Cache::open(&plan.cache)?;
        let (asked, looking, lists) = (plan.source.clone(), ui.clone(), cache.clone());
        let source = signals.during(move || asked.find(&lists, &looking)).await?;
        if run && !image::at_hand(&cache, &source) {
            early::host(&settings(plan, &source), ui)?;
        }
        let scratch = cache.root().join("scratch.img");
        let wanted = source.clone();
        let copied = move || {
            let base = image::fetch(&cache, &wanted, &report)?;
            WorkImage::create(&base, &scratch, true, None, &report)
        };
        Ok((signals.during(copied).await?, source))
    }

    /// It, open for reading and writing.
    pub fn file(&self) -> &File {
        match self {
            Opened::InPlace(file) => file,
            Opened::Copy(work) => work.file(),
        }
    }
}

/// Opens an image for writing, unless somebody else uses it: the file systems in it would be changed twice.
fn lock(path: &Path) -> Result<Flock<File>> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .context(Kind::Usage, || {
            format!("cannot open {} for writing", path.display())
        })
        .map_err(|error| error.hint("name an image file that you may write to"))?;
    // Before our own lock, which a network file system may take for one of these.
    let locked = in_use::is_locked(&file);
    let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Error::host(format!("{} is in use by another pichroot", path.display()))
            .hint("wait for it to end, or leave out --write to work on a copy")
    })?;
    if locked {
        let holder = in_use::holder(&file).unwrap_or_else(|| "another program".into());
        let what = format!(
            "{} is in use by {holder}, which has locked it",
            path.display()
        );
        return Err(Error::host(what)
            .hint("end it, such as a virtual machine, or leave out --write to work on a copy"));
    }
    let devices = in_use::loop_devices(&file)
        .context(Kind::Host, || format!("cannot look at {}", path.display()))?;
    match devices.first() {
        None => Ok(file),
        Some(device) => {
            let device = device.display();
            Err(Error::host(format!("{} is attached to {device} on this host", path.display())).hint(
                format!(
                    "unmount what is mounted of {device} and run `losetup --detach {device}`, or leave out --write to \
                     work on a copy"
                ),
            ))
        }
    }
}
