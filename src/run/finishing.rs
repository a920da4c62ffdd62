//! From the provisioned work image to the outputs.

use std::io;

use super::{session::Session, signals::Signals};
use crate::{
    config::AnsiblePlan,
    error::{Context, Kind, Result},
    event::{Event, Report, Starts},
    finish::{
        images::{self, Making},
        output::Output,
        ready::Ready,
        tree,
    },
    image::WorkImage,
    stage::protocol::Archive,
    ui::Ui,
};

/// How a run ends that has succeeded.
pub struct Finishing<'a> {
    pub plan: &'a AnsiblePlan,
    /// Whom the outputs belong to, by user and group.
    pub owner: Option<(u32, u32)>,
}

impl Finishing<'_> {
    /// Unmounts the image and checks its file systems, as [`Session::close`]; before that, outputs are made of its files.
    pub async fn close(
        &self,
        session: Session<'_>,
        ui: &Ui,
    ) -> Result<((bool, Starts), Vec<Ready>)> {
        let outputs = self.plan.outputs.iter().filter(|output| output.is_tree());
        let outputs: Vec<Output> = outputs.cloned().collect();
        if outputs.is_empty() {
            return Ok((session.close().await?, Vec::new()));
        }
        let failed = || "cannot make a pipe".to_owned();
        let (mut stream, pipe) = io::pipe().context(Kind::Host, failed)?;
        let (making, report) = (self.making(), ui.clone());
        let received = tokio::task::spawn_blocking(move || {
            tree::receive(&mut stream, &outputs, making, &report)
        });
        let archive = Archive { latest: None };
        let closed = session.close_with(Some((archive, pipe))).await;
        // Without a stage the stream is at its end.
        let trees = received
            .await
            .context(Kind::Other, || "a worker thread panicked".into())?;
        // tar ends early if its archive is not taken: then that is the reason.
        let trees = trees?;
        Ok((closed?, trees))
    }

    /// Makes all other outputs of the image but the one that it is itself.
    pub async fn make(
        &self,
        work: &WorkImage,
        trees: Vec<Ready>,
        signals: &mut Signals,
        ui: &Ui,
    ) -> Result<Vec<Ready>> {
        let (making, report) = (self.making(), ui.clone());
        let outputs = self.plan.outputs.iter();
        let outputs = outputs.filter(|output| !output.is_tree() && output.path != self.plan.output);
        let outputs: Vec<Output> = outputs.cloned().collect();
        let failed = || "cannot share the image file".to_owned();
        let image = work.file().try_clone().context(Kind::Other, failed)?;
        let make = move |output: &Output| images::make(&image, output, making, &report);
        let images = move || outputs.iter().map(make).collect::<Result<Vec<_>>>();
        Ok(trees
            .into_iter()
            .chain(signals.during(images).await?)
            .collect())
    }

    /// Gives everything that was made its name.
    ///
    /// # Errors
    /// When there is something by now that must not be replaced, or the disk fails.
    pub fn publish(&self, work: WorkImage, mut ready: Vec<Ready>, ui: &Ui) -> Result<()> {
        let mut paths = self.plan.outputs.iter().map(|output| &output.path);
        if paths.any(|path| *path == self.plan.output) {
            ready.insert(0, Ready::file(work.into_output(), None));
        }
        for ready in ready {
            let path = ready.path().to_owned();
            ready.publish()?;
            ui.tell(Event::Made(path));
        }
        Ok(())
    }

    fn making(&self) -> Making {
        Making {
            force: self.plan.force,
            owner: self.owner,
            sums: false,
        }
    }
}
