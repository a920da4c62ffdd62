//! What only a running machine can have: told at the end, when the image has all of it.

use super::session::Session;
use crate::{
    ansible::guard,
    error::Result,
    event::{Event, FirstBoot, Report},
    ui::Ui,
};

/// Has what the first boot is to do put into the image, and tells what was put off; returns that.
///
/// # Errors
/// When the image lacks something of it then.
pub async fn finish(session: &mut Session<'_>, ui: &Ui) -> Result<FirstBoot> {
    let put_off = session.first_boot().await?;
    ui.tell(Event::FirstBoot(put_off.clone()));
    Ok(put_off)
}

/// Tells which tasks failed for what an image is. With `go_on` that did not end the playbook.
pub fn tell_failed(note: &mut guard::Note, go_on: bool, ui: &Ui) {
    for mut task in std::mem::take(&mut note.no_machine) {
        task.ignored |= go_on;
        ui.tell(Event::NoMachine(task));
    }
}
