//! What programs of the image have put off to the end of the playbook: the initramfs.

use std::path::Path;

use super::session::{self, Session};
use crate::{
    error::{Error, Kind, Result},
    report::Report,
    stage::facts::Facts,
    ui::Ui,
};

/// Does what programs of the image have put off to the end of the playbook.
pub async fn finish(session: &mut Session<'_>, dir: &Path, facts: &Facts, ui: &Ui) -> Result<()> {
    for outstanding in session.outstanding().await? {
        ui.step(&format!("making the initramfs of {}", outstanding.kernel));
        let command = outstanding.command();
        let shown = command.join(" ");
        let job = session::command(dir, facts, command, Vec::new());
        match session.run(job).await?.shell_code() {
            0 => {}
            code => {
                return Err(Error::new(
                    Kind::Playbook,
                    format!("{shown} in the image ended with exit code {code}"),
                )
                .hint("what it said is above; with --no-shortcut initramfs each package runs it"));
            }
        }
    }
    Ok(())
}

/// Tells whoever keeps the image what was put off and is now not done.
pub async fn warn(session: &mut Session<'_>, ui: &Ui) {
    // Where the stage is gone there is another error to be told.
    for outstanding in session.outstanding().await.unwrap_or_default() {
        ui.warning(&format!(
            "the initramfs was to be made at the end: {}",
            outstanding.command().join(" ")
        ));
    }
}
