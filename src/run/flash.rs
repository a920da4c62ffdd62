//! `pichroot flash`: an image onto a card.

use std::sync::Arc;

use super::signals::{Signals, block_on};
use crate::{
    config::FlashPlan,
    error::{Error, Kind, Result},
    event::{Event, Report},
    finish::flash,
    ui::Ui,
};

/// Asks, writes and compares.
///
/// # Errors
/// When the answer is no, or there is nobody to ask; whatever keeps the image from being written.
pub fn run(plan: FlashPlan, ui: &Ui) -> Result<()> {
    let disk = &plan.flash.disk;
    ui.tell(Event::ToFlash {
        image: plan.flash.name.clone(),
        size: plan.flash.size(),
        bytes: plan.flash.bytes(),
        disk: disk.path.clone(),
        disk_size: disk.size,
        model: disk.model.clone(),
    });
    if !plan.yes {
        let question = format!(
            "Everything on {} is lost. Write to it?",
            disk.path.display()
        );
        match ui.confirm(&question)? {
            Some(true) => {}
            Some(false) => {
                return Err(
                    Error::new(Kind::Usage, "nothing was written, as the answer was no")
                        .hint("to go on, answer y"),
                );
            }
            None => {
                return Err(Error::usage("there is no terminal to ask on")
                    .hint("to write without being asked, use --yes"));
            }
        }
    }
    let (flash, report) = (Arc::new(plan.flash), ui.clone());
    let path = flash.disk.path.clone();
    let bytes = block_on(async {
        let mut signals = Signals::listen()?;
        signals.during(move || flash::write(&flash, &report)).await
    });
    // A signal leaves the disk without its beginning.
    let bytes = bytes.map_err(|error| match error.kind() {
        Kind::Signal(_) => error.hint("nothing boots from the disk now: write it again"),
        _ => error,
    })?;
    ui.tell(Event::Flashed { disk: path, bytes });
    Ok(())
}
