//! How a work image begins: as a copy of a base image, which may be grown, or empty, to be filled.

use super::{
    journal::Journal,
    new_image::{self, Files},
    signals::Signals,
    sizing::{self, Growth},
};
use crate::{
    config::AnsiblePlan,
    error::Result,
    finish::plan::Beside,
    image::{self, Cache, Source, WorkImage},
    shape::new::Plan,
    ui::Ui,
};

/// What it is made of.
pub struct Beginning<'a> {
    pub plan: &'a AnsiblePlan,
    pub source: &'a Source,
    /// The image that is made of the source, if it is none itself.
    pub new: Option<&'a Plan>,
    /// What the user calls the source.
    pub name: &'a str,
    /// Whom the outputs belong to, by user and group.
    pub owner: Option<(u32, u32)>,
}

/// What is fetched and copied by a thread of its own.
struct Fetched {
    work: WorkImage,
    rest: Rest,
    /// The size that the source had, in bytes.
    size: u64,
    /// The checksum of the source, where it is wanted.
    sha256: Option<String>,
}

/// What is still to be done.
enum Rest {
    /// The file system has to fill what was added, if anything was.
    Grow(Option<Growth>),
    /// It is empty, and gets these files.
    Fill(Files),
}

impl Beginning<'_> {
    /// Makes the work image; returns it, and the size that it had before it was grown.
    ///
    /// # Errors
    /// Where the source or what is to be made of it is wrong, or this machine lacks something for it.
    pub async fn begin(
        &self,
        cache: Cache,
        journal: &mut Journal,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<(WorkImage, u64)> {
        let fetched = match self.new {
            None => self.copy(cache, signals, ui).await?,
            Some(_) => self.empty(cache, signals, ui).await?,
        };
        journal.source_sha256 = fetched.sha256;
        journal.done("source");
        let work = fetched.work;
        match (fetched.rest, self.new) {
            (Rest::Fill(files), Some(plan)) => {
                new_image::make(work.file(), plan, &files, self.name, signals, ui).await?;
                if self.plan.finish.shrink.is_some() {
                    sizing::can_shrink(work.file(), self.name)?;
                }
                journal.done("new image");
            }
            (Rest::Grow(Some(growth)), _) => {
                growth.fill(work.file(), self.name, signals, ui).await?;
                journal.done("grow");
            }
            _ => {}
        }
        Ok((work, fetched.size))
    }

    /// A copy of the base image. What cannot be is told before anything is copied.
    async fn copy(&self, cache: Cache, signals: &mut Signals, ui: &Ui) -> Result<Fetched> {
        let (source, report, name) = (self.source.clone(), ui.clone(), self.name.to_owned());
        let (output, force, owner) = self.output();
        let (wanted, original) = (self.plan.grow, self.plan.original_size);
        let (small, summed) = (self.plan.finish.shrink.is_some(), self.is_summed());
        let copied = move || {
            let base = image::fetch(&cache, &source, &report)?;
            let growth = wanted.map(|grow| Growth::of(base.file(), grow, original, &name));
            let growth = growth.transpose()?.flatten();
            if small {
                sizing::can_shrink(base.file(), &name)?;
            }
            let work = WorkImage::create(&base, &output, force, owner, &report)?;
            if let Some(growth) = &growth {
                growth.make_room(work.file(), &name)?;
            }
            Ok(Fetched {
                work,
                rest: Rest::Grow(growth),
                size: original.unwrap_or(base.size()),
                sha256: summed.then(|| base.source_sha256(&report)).transpose()?,
            })
        };
        signals.during(copied).await
    }

    /// An empty one, and the files for it.
    async fn empty(&self, cache: Cache, signals: &mut Signals, ui: &Ui) -> Result<Fetched> {
        let (source, report, summed) = (self.source.clone(), ui.clone(), self.is_summed());
        let (output, force, owner) = self.output();
        let fetched = move || {
            let files = Files::fetch(&cache, &source, &report)?;
            let sha256 = if summed { files.sha256(&report)? } else { None };
            Ok(Fetched {
                work: WorkImage::empty(&output, force, owner)?,
                rest: Rest::Fill(files),
                size: 0,
                sha256,
            })
        };
        signals.during(fetched).await
    }

    fn output(&self) -> (std::path::PathBuf, bool, Option<(u32, u32)>) {
        let force = self.plan.force || self.plan.changes_nothing;
        (self.plan.output.clone(), force, self.owner)
    }

    fn is_summed(&self) -> bool {
        self.plan.finish.has(Beside::Manifest)
    }
}
