//! What programs of the image have put off to the end of the playbook: the initramfs.

use super::session::{self, Session};
use crate::{
    chroot::shortcuts::initramfs::Outstanding,
    error::{Error, Kind, Result},
    event::{Event, Report},
    stage::facts::Facts,
    ui::Ui,
};

/// Does what programs of the image have put off to the end of the playbook. Where that fails and who keeps the
/// image (`kept`) is to know, tells what is not done.
pub async fn finish(session: &mut Session<'_>, facts: &Facts, kept: bool, ui: &Ui) -> Result<()> {
    let all = session.outstanding().await?;
    for (done, next) in all.iter().enumerate() {
        let made = make(session, facts, next, ui).await;
        if made.is_err() && kept {
            tell(&all[done..], ui);
        }
        made?;
    }
    Ok(())
}

async fn make(
    session: &mut Session<'_>,
    facts: &Facts,
    outstanding: &Outstanding,
    ui: &Ui,
) -> Result<()> {
    ui.tell(Event::MakingInitramfs(outstanding.kernel.clone()));
    let command = outstanding.command();
    let shown = command.join(" ");
    let job = session::command(session.dir(), facts, command, Vec::new());
    match session.run(job).await?.0.shell_code() {
        0 => Ok(()),
        code => Err(Error::new(
            Kind::Playbook,
            format!("{shown} in the image ended with exit code {code}"),
        )
        .hint("what it said is above; with --no-shortcut initramfs each package runs it")),
    }
}

/// Tells whoever keeps the image what was put off and is now not done.
pub async fn warn(session: &mut Session<'_>, ui: &Ui) {
    // Where the stage is gone there is another error to be told.
    tell(&session.outstanding().await.unwrap_or_default(), ui);
}

fn tell(not_done: &[Outstanding], ui: &Ui) {
    for outstanding in not_done {
        ui.tell(Event::LeftUndone(outstanding.command().to_vec()));
    }
}
