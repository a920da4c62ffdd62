//! Boot partitions that the image's fstab does not name: mounted where they belong, if the image says where.

use std::path::PathBuf;

use super::mounts::Mounts;
use crate::{
    disk::{
        Layout, Mount,
        layout::{
            boot::{Boot, without_place},
            left_out,
        },
    },
    error::{Kind, Result},
    event::Event,
    sys::inroot::Root,
};

/// Mounts those that `layout` has not, which is the fstab's. Says what is left out now, and warns of one that has no place:
/// what is written to /boot stays in the root.
pub(super) fn mount(mounts: &mut Mounts, layout: &Layout) -> Result<Vec<Event>> {
    let mut told = Vec::new();
    for boot in without_place(mounts.volumes(), layout) {
        let number = boot.partition;
        let has_files = |root: &Root| {
            boot.files
                .iter()
                .any(|name| root.locate(name.as_ref()).is_ok())
        };
        match mounts.look(number, has_files) {
            Ok(true) => {}
            // One of data.
            Ok(false) => continue,
            Err(error) if error.kind() == Kind::Image => {
                told.push(Event::NoPlace(number, error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        }
        match place(&boot, &Root::open(mounts.root())?) {
            Some((line, at)) => mounts.mount(&Mount {
                partition: number,
                at,
                kind: mounts.kind(number)?,
                options: Vec::new(),
                line,
                may_fail: false,
            })?,
            None => {
                let why = "the image does not say where it belongs".into();
                told.push(Event::NoPlace(number, why));
            }
        }
    }
    let mounted = mounts
        .places()
        .into_iter()
        .map(|(number, _)| number)
        .collect::<Vec<_>>();
    let left = left_out(mounts.volumes(), &mounted, &layout.skipped).into_iter();
    told.extend(left.map(|(number, why)| Event::LeftOut(number, why)));
    Ok(told)
}

/// Where it belongs, and the line of the fstab that says so, if one does.
fn place(boot: &Boot, root: &Root) -> Option<(Option<usize>, PathBuf)> {
    if let Some((line, at)) = &boot.named {
        return Some((Some(*line), at.clone()));
    }
    // What is in a directory would be hidden.
    let is_empty = |at: &&PathBuf| root.names(at, 0).is_ok();
    boot.places
        .iter()
        .find(is_empty)
        .map(|at| (None, at.clone()))
}
