//! From the provisioned work image to the outputs and what is beside them.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use super::{
    job::AnsibleCommand,
    journal::Journal,
    made_of,
    session::{Closed, Session},
    signals::Signals,
    sizing,
};
use crate::{
    config::AnsiblePlan,
    disk::{Volume, contents},
    error::{Context, Kind, Result},
    event::{Event, Report},
    finish::{
        bmap, dates, imager,
        images::{self, Making, sum_of},
        manifest::Artefact,
        map::Map,
        output::Output,
        plan::Beside,
        ready::Ready,
        sums, tree,
    },
    image::{OutputFile, WorkImage},
    stage::protocol::{Archive, Last},
    ui::Ui,
};

/// How a run ends that has succeeded.
pub struct Finishing<'a> {
    pub plan: &'a AnsiblePlan,
    pub command: &'a AnsibleCommand,
    /// Whom the outputs belong to, by user and group.
    pub owner: Option<(u32, u32)>,
    /// What the user calls the source.
    pub source: &'a str,
}

/// Everything that is made, and has no name yet.
pub struct Made {
    ready: Vec<Ready>,
    /// The checksum of the work image, if it is an output.
    own: Option<String>,
}

impl Finishing<'_> {
    /// Unmounts the image and checks its file systems, as [`Session::close`]; before that, outputs are made of its files.
    pub async fn close(&self, session: Session<'_>, ui: &Ui) -> Result<(Closed, Vec<Ready>)> {
        let finish = &self.plan.finish;
        let outputs = finish.outputs.iter().filter(|output| output.is_tree());
        let outputs: Vec<Output> = outputs.cloned().collect();
        let mut last = Last {
            archive: None,
            packages: finish.has(Beside::Manifest),
        };
        if outputs.is_empty() {
            return Ok((session.close_with(last, None).await?, Vec::new()));
        }
        last.archive = Some(Archive {
            latest: finish.epoch,
        });
        let failed = || "cannot make a pipe".to_owned();
        let (mut stream, pipe) = io::pipe().context(Kind::Host, failed)?;
        let (making, report) = (self.making(), ui.clone());
        let received = tokio::task::spawn_blocking(move || {
            tree::receive(&mut stream, &outputs, making, &report)
        });
        let closed = session.close_with(last, Some(pipe)).await;
        // Without a stage the stream is at its end.
        let trees = received
            .await
            .context(Kind::Other, || "a worker thread panicked".into())?;
        // tar ends early if its archive is not taken: then that is the reason.
        let trees = trees?;
        Ok((closed?, trees))
    }

    /// Makes all other outputs, and what is beside them.
    pub async fn make(
        &self,
        work: &WorkImage,
        trees: Vec<Ready>,
        journal: &mut Journal,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<Made> {
        let finish = &self.plan.finish;
        if let Some(margin) = finish.shrink {
            sizing::shrink(work.file(), margin, self.source, signals, ui).await?;
            journal.done("shrink");
        }
        let (making, report) = (self.making(), ui.clone());
        let outputs = finish.outputs.iter();
        let outputs = outputs.filter(|output| !output.is_tree() && output.path != self.plan.output);
        let outputs: Vec<Output> = outputs.cloned().collect();
        let failed = || "cannot share the image file".to_owned();
        let image = work.file().try_clone().context(Kind::Other, failed)?;
        // Of the image itself if it is an output, and for who lists what is in a packed one.
        let summed = self.is_output() && making.sums || finish.has(Beside::Imager);
        let images = move || {
            let make = |output: &Output| images::make(&image, output, making, &report);
            let ready = outputs.iter().map(make).collect::<Result<Vec<_>>>()?;
            let own =
                sum_of(&image, summed).context(Kind::Host, || "cannot read the image".into())?;
            Ok((ready, own))
        };
        let (images, own) = signals.during(images).await?;
        journal.done("outputs");
        let mut made = Made {
            ready: trees.into_iter().chain(images).collect(),
            own,
        };
        self.add_documents(work.file(), &mut made, journal, ui)?;
        Ok(made)
    }

    /// Gives everything that was made its name.
    ///
    /// # Errors
    /// When there is something by now that must not be replaced, or the disk fails.
    pub fn publish(&self, work: WorkImage, made: Made, ui: &Ui) -> Result<()> {
        let Made { mut ready, own } = made;
        if self.is_output() {
            ready.insert(0, Ready::file(work.into_output(), own));
        }
        for ready in ready {
            let (path, sum) = (ready.path().to_owned(), ready.sha256.clone());
            ready.publish()?;
            // A document has none.
            if let Some(sum) = sum.filter(|_| self.plan.finish.has(Beside::Sha256sums)) {
                sums::note(&path, &sum, self.owner)?;
            }
            ui.tell(Event::Made(path));
        }
        Ok(())
    }

    /// Makes what is asked for beside the outputs, but for SHA256SUMS, which is others' too.
    fn add_documents(
        &self,
        image: &File,
        made: &mut Made,
        journal: &mut Journal,
        ui: &Ui,
    ) -> Result<()> {
        let finish = &self.plan.finish;
        let failed = || format!("cannot read {}", self.source);
        let size = image.metadata().context(Kind::Host, failed)?.len();
        let volumes = contents::read(image, size, self.source)?;
        let mut documents = Vec::new();
        for what in [Beside::Bmap, Beside::Imager, Beside::Manifest] {
            let Some(path) = finish.document(what).filter(|_| finish.has(what)) else {
                continue;
            };
            let text = match what {
                Beside::Bmap => {
                    let map = Map::of(image, &volumes).context(Kind::Host, failed)?;
                    bmap::document(image, &map).context(Kind::Host, failed)?
                }
                Beside::Imager => self.for_imager(made, size, journal),
                _ => {
                    journal.done("documents");
                    self.manifest(made, size, &volumes, journal)
                }
            };
            let open = what != Beside::Manifest;
            documents.push(self.document(&path, &ui.without_secrets(&text), open)?);
        }
        made.ready.extend(documents);
        Ok(())
    }

    fn for_imager(&self, made: &Made, size: u64, journal: &Journal) -> String {
        let finish = &self.plan.finish;
        let output = finish.for_cards().expect("it was checked");
        let own = made.own.as_deref().unwrap_or_default();
        let packed = made.ready.iter().find(|ready| ready.path() == output.path);
        let packed_sum = packed.and_then(|ready| ready.sha256.as_deref());
        let opened = journal.opened.as_ref();
        let date = dates::date(finish.epoch.unwrap_or_else(dates::now));
        imager::document(
            &finish.entry,
            &imager::Image {
                path: &output.path,
                machine: &self.plan.host_name,
                system: opened.and_then(|opened| opened.os.as_deref()),
                size,
                sha256: own,
                packed_size: packed.and_then(Ready::size).unwrap_or(size),
                packed_sha256: packed_sum.unwrap_or(own),
                date: &date,
            },
        )
    }

    fn manifest(&self, made: &Made, size: u64, volumes: &[Volume], journal: &Journal) -> String {
        let name = |path: &Path| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let own = self.is_output().then(|| Artefact {
            name: name(&self.plan.output),
            size: Some(size),
            sha256: made.own.clone(),
        });
        let others = made.ready.iter().map(|ready| Artefact {
            name: name(ready.path()),
            size: ready.size(),
            sha256: ready.sha256.clone(),
        });
        let outputs = own.into_iter().chain(others).collect();
        made_of::text(
            self.plan,
            self.command,
            journal,
            volumes,
            self.source,
            outputs,
        )
    }

    /// A text file, for everybody if it is `open`.
    fn document(&self, path: &Path, text: &str, open: bool) -> Result<Ready> {
        let failed = || format!("cannot write {}", path.display());
        let new = OutputFile::create(path, self.plan.force, self.owner);
        let new = new.context(Kind::Host, failed)?;
        if open {
            new.open_to_all().context(Kind::Host, failed)?;
        }
        new.file()
            .write_all(text.as_bytes())
            .context(Kind::Host, failed)?;
        Ok(Ready::file(new, None))
    }

    /// Whether the work image is an output as it is.
    fn is_output(&self) -> bool {
        let mut paths = self.plan.finish.outputs.iter().map(|output| &output.path);
        paths.any(|path| *path == self.plan.output)
    }

    fn making(&self) -> Making {
        Making {
            force: self.plan.force,
            owner: self.owner,
            sums: self.plan.finish.sums(),
        }
    }
}
