//! The unit of the first boot: does once, on the machine, what is neither in the image nor done by every boot.

pub mod possible;
mod unit;

pub use possible::has_systemd;
use unit::Step;

use super::{
    machine::Machine,
    outstanding,
    record::{How, PutOff},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{self, By},
};

/// The longest text of what was put off that people are told.
const MAX_WHAT: usize = 300;

/// Puts into the image what its first boot is to do, and returns all that was put off. What is put off later is not in it.
///
/// # Errors
/// When the image lacks something of it then: it must not pass for finished.
pub fn finish(machine: &mut Machine) -> Result<event::FirstBoot> {
    let record = outstanding::take(machine);
    let steps: Vec<Step> = record.all().iter().filter_map(step).collect();
    let told = event::FirstBoot {
        put_off: record.all().iter().map(told).collect(),
        more: record.more(),
        earlier: unit::steps_in(&machine.root),
    };
    if record.lost() > 0 {
        let what = format!(
            "{} steps more were put off to the first boot than its unit may have",
            record.lost()
        );
        return Err(Error::new(Kind::Playbook, what).hint(
            "put off less, by files that every boot reads: docs/living-machines.md names them",
        ));
    }
    let Some(first) = steps.first() else {
        return Ok(told);
    };
    check(machine, &first.what)?;
    unit::add(&machine.root, &steps)
        .context(Kind::Image, || {
            format!("cannot put {} into the image", unit::NAME)
        })
        .map_err(|error| {
            error.hint("is there room in the image, and is its /etc/systemd as usual?")
        })?;
    Ok(told)
}

/// Whether there can be a unit at the end, as `what` needs it.
fn check(machine: &Machine, what: &str) -> Result<()> {
    let why = match possible::why_not(machine.first_boot, &machine.root) {
        None if !has_systemd(&machine.root) => Some(possible::NO_SYSTEMD),
        why => why,
    };
    let Some((why, hint)) = why else {
        return Ok(());
    };
    let what = format!("`{what}` needs a unit for the first boot, and {why}");
    Err(Error::new(Kind::Playbook, what).hint(hint))
}

/// What the unit is to run for it. Where there are no lines, those of another do it.
fn step(put_off: &PutOff) -> Option<Step> {
    let How::Unit(lines) = &put_off.how else {
        return None;
    };
    if lines.trim().is_empty() {
        return None;
    }
    let PutOff { what, task, .. } = put_off;
    Some(Step {
        what: match task {
            Some(task) => format!("{what} ({task})"),
            None => what.clone(),
        },
        lines: lines.clone(),
    })
}

fn told(put_off: &PutOff) -> event::PutOff {
    event::PutOff {
        what: cut(&put_off.what, MAX_WHAT),
        task: put_off.task.clone(),
        by: match &put_off.how {
            How::ByBoot => By::Boot,
            How::Carried(file) => By::File(file.clone()),
            How::Unit(_) => By::Unit,
        },
    }
}

/// `text`, or its beginning with dots.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
