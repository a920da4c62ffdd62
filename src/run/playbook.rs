//! `pichroot ansible`: from the plan to the finished image.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    beginning::Beginning,
    deferred, early,
    finishing::Finishing,
    first_boot,
    job::{self, AnsibleCommand},
    journal::Journal,
    listing, need_root, opened,
    publish::Publisher,
    reached,
    session::{Closed, Session},
    signals::{Signals, block_on},
    work::Image,
};
use crate::{
    ansible::{guard, selection::Selection},
    config::{AnsiblePlan, OnError, Surroundings},
    error::{Context, Kind, Result},
    event::{Event, Left, Report},
    finish::{
        manifest::Span,
        output::{Output, check_may_write},
        ready::Ready,
    },
    image::{self, Cache, OutputLock, Source, WorkImage, kept},
    shape::new::Plan,
    stage::protocol::{Last, Settings},
    sys::{programs, room},
    ui::{Ui, relay},
};

/// Everything that is decided before any work begins.
struct Run {
    plan: AnsiblePlan,
    /// What the image is made from.
    source: Source,
    /// The image that is made of it, if it is none itself.
    new: Option<Plan>,
    /// How the stage opens it.
    settings: Settings,
    /// Whom the output belongs to, by user and group.
    owner: Option<(u32, u32)>,
    command: AnsibleCommand,
    /// Who publishes it in the end.
    publisher: Option<Publisher>,
}

/// `pichroot ansible PLAYBOOK`.
///
/// # Errors
/// Whatever keeps it from making the output, a failed playbook included.
pub fn run(mut plan: AnsiblePlan, around: Surroundings, ui: &Ui) -> Result<()> {
    let owner = around.caller();
    let Some(image) = plan.image.take() else {
        let command = AnsibleCommand::find(&plan, around)?;
        return block_on(listing::list(&command, &plan, ui));
    };
    need_root()?;
    let mut command = AnsibleCommand::find(&plan, around)?;
    if !plan.changes_nothing {
        plan.finish.outputs.iter().try_for_each(check_may_write)?;
        let mut needed = plan.finish.outputs.iter().filter_map(Output::program);
        needed.try_for_each(|program| programs::find(program).map(drop))?;
        let mut to_make = image.new.iter().flat_map(Plan::programs);
        to_make.try_for_each(|program| programs::find(program).map(drop))?;
    }
    let cache = Cache::open(&image.cache)?;
    let _locks = lock_all(&cache, &plan)?;
    let publisher = match plan.publish.take() {
        Some(targets) => Some(Publisher::new(targets, &command.around().env, ui)?),
        None => None,
    };
    publisher.as_ref().map_or(Ok(()), Publisher::early)?;
    let source = image.source.find(&cache, ui)?;
    let settings = opened::settings(&image, &source);
    let long = !image::at_hand(&cache, &source);
    if long {
        early::host(&settings, ui)?;
    }
    let may_read = command.ask(&plan, true, ui)?;
    // Else the run itself tells nearly as soon, but for a selection of nothing, which Ansible takes.
    let selects = !Selection::take(&plan.arguments).0.is_empty();
    if may_read && (long || selects) {
        early::playbook(&command, &plan, ui)?;
    }
    command.ask(&plan, false, ui)?;
    let command = command.with_secrets(&plan, ui)?;
    for note in &image.notes {
        ui.tell(note.clone());
    }
    let run = Run {
        plan,
        source,
        new: image.new,
        settings,
        owner,
        command,
        publisher,
    };
    block_on(run.whole(cache, ui))
}

impl Run {
    async fn whole(&self, cache: Cache, ui: &Ui) -> Result<()> {
        let mut signals = Signals::listen()?;
        // For what comes after the session, which takes the others with it.
        let mut at_end = Signals::listen()?;
        let plan = &self.plan;
        // Without what may be secret in a URL.
        let name = self.source.location.to_string();
        let mut journal = Journal::begin();
        let beginning = Beginning {
            plan,
            source: &self.source,
            new: self.new.as_ref(),
            name: &name,
            owner: self.owner,
        };
        let (work, size) = beginning
            .begin(cache, &mut journal, &mut signals, ui)
            .await?;
        let finishing = Finishing {
            plan,
            command: &self.command,
            owner: self.owner,
            source: &name,
        };
        let mut start_at_task = None;
        let provisioned = self.provision(
            &work,
            &finishing,
            signals,
            ui,
            (&mut start_at_task, &mut journal),
        );
        let made = match provisioned.await {
            Ok(_) if plan.changes_nothing => return Ok(()),
            Ok(trees) => {
                finishing
                    .make(&work, trees, &mut journal, &mut at_end, ui)
                    .await
            }
            Err(error) => Err(error),
        };
        match made {
            Ok(made) => {
                let failed = || "cannot share the image file".to_owned();
                let image = work.file().try_clone().context(Kind::Other, failed)?;
                finishing.publish(work, made, ui)?;
                // The outputs are there, whatever becomes of this.
                self.publish(&image, &name, &mut at_end, ui).await?;
                if plan.resume {
                    kept::remove(&plan.output);
                }
                Ok(())
            }
            Err(error) if plan.on_error == OnError::Keep => {
                // What the run failed with is the error to report.
                match self.keep(work, start_at_task, size) {
                    Ok(kept) => ui.tell(Event::Kept(kept)),
                    Err(lost) => ui.tell(Event::AlsoFailed((&lost).into())),
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Publishes the finished `image`, if it is to be.
    async fn publish(
        &self,
        image: &File,
        name: &str,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<()> {
        let Some(publisher) = &self.publisher else {
            return Ok(());
        };
        let image = Image {
            file: image,
            name,
            layout: self.settings.layout.as_ref(),
        };
        let prepared = publisher.prepare(image, signals, ui).await?;
        publisher.serve(prepared, ui)
    }

    /// Keeps the work image, with what `--resume` has to know.
    fn keep(&self, work: WorkImage, start_at_task: Option<String>, size: u64) -> Result<PathBuf> {
        let output = &self.plan.output;
        let record = kept::Record {
            playbook: self.plan.playbook.name().display().to_string(),
            start_at_task,
            size: Some(size),
        };
        // First, so that a record never belongs to an older image.
        kept::Record::remove(output);
        let kept = work.keep()?;
        record.write(output, self.owner)?;
        Ok(kept)
    }

    /// Runs the playbook in the work image; it is unmounted and checked afterwards. Where a task fails it becomes
    /// `start_at_task`.
    async fn provision(
        &self,
        work: &WorkImage,
        finishing: &Finishing<'_>,
        signals: Signals,
        ui: &Ui,
        (start_at_task, journal): (&mut Option<String>, &mut Journal),
    ) -> Result<Vec<Ready>> {
        let plan = &self.plan;
        let (output, streams) = job::streams()?;
        let mut session =
            Session::start(work.file(), finishing.source, signals, Some(&output), ui)?;
        // Only the stage's copies keep the pipes open now.
        drop(output);
        let facts = session.open(&self.settings).await?;
        ui.tell(Event::Opened(facts.opened()));
        journal.opened = Some(facts.opened());
        journal.done("open");
        let job = self.command.job(plan, session.dir(), &facts, ui)?;
        let [stdout, stderr] = streams;
        let shown = (
            tokio::spawn(relay(stdout, io::stdout(), ui.redactor())),
            tokio::spawn(relay(stderr, io::stderr(), ui.redactor())),
        );
        let mut note = guard::Note::default();
        let mut ended = session.run(job).await.and_then(|(ending, text)| {
            note = guard::Note::read(&text.unwrap_or_default());
            *start_at_task = note.failed.take();
            job::verdict(ending)
        });
        let span = |time: guard::Time| Span {
            name: time.name,
            seconds: time.seconds,
        };
        journal.tasks = std::mem::take(&mut note.times)
            .into_iter()
            .map(span)
            .collect();
        journal.collections = std::mem::take(&mut note.collections);
        journal.done("playbook");
        if let Some((at, left)) = session.little() {
            ended = ended.map_err(|error| error.better_hint(little_room(at, &left)));
        }
        let kept = plan.on_error == OnError::Keep;
        first_boot::tell_failed(&mut note, ended.is_ok(), ui);
        if ended.is_ok() {
            ended = deferred::finish(&mut session, &facts, kept, ui).await;
        } else if kept {
            deferred::warn(&mut session, ui).await;
        }
        if !plan.changes_nothing && (ended.is_ok() || kept) {
            let put = first_boot::finish(&mut session, ui).await;
            match (&ended, put) {
                (Ok(()), put) => ended = put.map(|put| journal.first_boot = put),
                // The first failure is the one to report.
                (Err(_), Err(error)) => ui.tell(Event::AlsoFailed((&error).into())),
                (Err(_), Ok(_)) => {}
            }
        }
        // Who stopped the run waits for its end, and the image is thrown away: then the kernel takes
        // everything apart.
        let stopped = matches!(&ended, Err(error) if matches!(error.kind(), Kind::Signal(_)));
        let closed = if stopped && plan.on_error == OnError::Cleanup {
            drop(session);
            let closed = Closed {
                used: true,
                ..Closed::default()
            };
            Ok((closed, Vec::new()))
        } else if ended.is_ok() && !plan.changes_nothing {
            finishing.close(session, ui).await
        } else {
            let closed = session.close_with(Last::default(), None).await;
            closed.map(|closed| (closed, Vec::new()))
        };
        // The stage is gone, and with it the other end of the pipes.
        let _ = tokio::join!(shown.0, shown.1);
        // A task often fails because of what only the unmounting tells, such as a full disk.
        if let (Err(_), Err(error)) = (&ended, &closed) {
            ui.tell(Event::AlsoFailed(error.into()));
        }
        ended?;
        let (closed, trees) = closed?;
        journal.packages = closed.packages;
        journal.done("close");
        ui.tell(Event::Started(closed.starts));
        reached::check(plan, note, closed.used, ui)?;
        Ok(trees)
    }
}

/// Reserves everything that the run is going to make.
fn lock_all(cache: &Cache, plan: &AnsiblePlan) -> Result<Vec<OutputLock>> {
    let made = plan.finish.outputs.iter().map(|output| &output.path);
    let mut paths: Vec<_> = made.chain([&plan.output]).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .map(|path| cache.lock_output(path))
        .collect()
}

/// What to do where a playbook failed in an image that was nearly full.
fn little_room(at: &Path, left: &Left) -> String {
    format!(
        "the image's file system on {} had {}: if that is why, --grow +1G, or image.grow in pichroot.yml, makes it \
         larger; what failed is above",
        at.display(),
        room::words(left)
    )
}
