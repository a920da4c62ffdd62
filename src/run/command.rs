//! `pichroot exec` and `pichroot shell`: one command in an image.

use super::{
    first_boot, need_root,
    opened::Opened,
    session::{self, Session},
    signals::{Signals, block_on},
};
use crate::{
    config::CommandPlan,
    error::Result,
    event::{Event, Report},
    ui::Ui,
};

/// Runs `command` in the image of the plan; its exit code. With `verbose`, a copy of the image is taken apart
/// as well, to tell what was run.
///
/// # Errors
/// Whatever keeps the image from being opened or closed.
pub fn run(plan: &CommandPlan, command: Vec<String>, verbose: bool, ui: &Ui) -> Result<u8> {
    need_root()?;
    for note in &plan.image.notes {
        ui.tell(note.clone());
    }
    block_on(async {
        let mut signals = Signals::listen()?;
        let (image, settings) = Opened::open(plan, &mut signals, ui).await?;
        // Without what may be secret in a URL.
        let name = plan.image.source.to_string();
        let mut session = Session::start(image.file(), &name, signals, None, ui)?;
        let facts = match session.open(&settings).await {
            Ok(facts) => facts,
            Err(error) => {
                if plan.write {
                    session.give_up().await;
                }
                return Err(error);
            }
        };
        let environment = plan.environment.clone();
        let job = session::command(session.dir(), &facts, command, environment);
        let mut ended = session.run(job).await;
        if plan.write {
            let put = first_boot::finish(&mut session, ui).await;
            // The first failure is the one to report.
            ended = ended.and_then(|ended| put.map(|_| ended));
        }
        // What is changed in place is left unmounted and checked, whatever happened; a copy that is
        // thrown away need not be taken apart, but for who wants to know what was run.
        let closed = match image {
            Opened::Copy(_) if !verbose => Ok(()),
            _ => session.close().await.map(|(_, starts)| {
                if verbose {
                    ui.tell(Event::Started(starts));
                }
            }),
        };
        let code = ended?.0.shell_code();
        closed?;
        Ok(code as u8)
    })
}
