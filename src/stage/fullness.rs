//! How little room the image's file systems had while a job ran: a program that fails for lack of it often
//! removes what it wrote, and is not always heard.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    sys::{
        stat::Mode,
        statvfs::{Statvfs, fstatvfs},
    },
};

use crate::{
    event::{Event, LittleRoom},
    sys::inroot::Root,
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
    size: u64,
    /// The least that was free, in bytes and in inodes.
    free: u64,
    inodes: u64,
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
                size: 0,
                free: u64::MAX,
                inodes: u64::MAX,
            })
        };
        Watch(places.iter().filter_map(place).collect())
    }

    /// Looks now.
    pub fn look(&mut self) {
        for place in &mut self.0 {
            if let Ok(state) = fstatvfs(&place.handle) {
                place.note(&state);
            }
        }
    }

    /// What the user should know.
    pub fn little(&self) -> Vec<Event> {
        let places = self.0.iter().filter(|place| place.is_little());
        let event = |place: &Place| {
            Event::LittleRoom(LittleRoom {
                partition: place.partition,
                at: place.at.clone(),
                free: place.free,
                size: place.size,
                inodes: place.inodes,
            })
        };
        places.map(event).collect()
    }
}

impl Place {
    fn note(&mut self, state: &Statvfs) {
        self.size = state.blocks() * state.fragment_size();
        // Without what may be kept for root: where that is being used up, there is little room.
        let free = state.blocks_available() * state.fragment_size();
        self.free = self.free.min(free);
        // File systems that make them as they go have 0 in all.
        if state.files() > 0 {
            self.inodes = self.inodes.min(state.files_free());
        }
    }

    fn is_little(&self) -> bool {
        self.free < (self.size / PART).min(LITTLE) || self.inodes == 0
    }
}
