//! How little room the image's file systems had while a job ran: a program that fails for lack of it often
//! removes what it wrote, and is not always heard.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{fcntl::OFlag, sys::stat::Mode};

use crate::{
    event::{Event, Left},
    sys::{inroot::Root, room},
};

/// How often it is looked.
pub const EVERY: Duration = Duration::from_millis(250);

/// Less free space than this part of a file system, and than so many bytes, is little.
const PART: u64 = 20;
const LITTLE: u64 = 64 << 20;

/// Looks at mounted file systems, which cannot be unmounted as long as it lives.
pub struct Watch(Vec<Place>);

struct Place {
    partition: u32,
    at: PathBuf,
    handle: OwnedFd,
    /// The least that there was.
    left: Option<Left>,
}

impl Watch {
    /// Of the partitions that are mounted at `places` in the image.
    pub fn of(root: &Root, places: &[(u32, PathBuf)]) -> Self {
        let place = |(partition, at): &(u32, PathBuf)| {
            let below = at.strip_prefix("/").unwrap_or(at);
            let below = match below.as_os_str().is_empty() {
                true => Path::new("."),
                false => below,
            };
            // What cannot be looked at is left out: this is only information.
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
            Some(Place {
                partition: *partition,
                at: at.clone(),
                handle: root.open_at(below, flags, Mode::empty()).ok()?,
                left: None,
            })
        };
        Watch(places.iter().filter_map(place).collect())
    }

    /// Looks now.
    pub fn look(&mut self) {
        for place in &mut self.0 {
            if let Ok(now) = room::left(&place.handle) {
                place.left = Some(place.left.map_or(now, |left| left.least(now)));
            }
        }
    }

    /// What the user should know.
    pub fn little(&self) -> Vec<Event> {
        let little = |place: &Place| {
            let left = place.left.filter(is_little)?;
            Some(Event::LittleRoom {
                partition: place.partition,
                at: place.at.clone(),
                left,
            })
        };
        self.0.iter().filter_map(little).collect()
    }
}

fn is_little(left: &Left) -> bool {
    left.is_nothing() || left.free < (left.size / PART).min(LITTLE)
}
