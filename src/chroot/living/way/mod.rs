//! How programs come to ask, instead of just running.
//!
//! Where there is a [dispatcher](crate::twins::dispatcher), it asks by itself. Else the kernel starts the asker for them
//! ([`entries`]), or, where it cannot, links to the asker come first in `PATH` ([`links`]). Both are for
//! [programs that are there](present), and those change while packages are installed.

mod entries;
mod links;
mod present;

use std::{
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

use self::{entries::Entries, links::Links};
use crate::{
    chroot::{plan::PATH, table::Table},
    error::Result,
    event::Event,
};

/// The asker as build.rs compiled it; empty where there is none for this machine.
const ASKER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/asker"));

/// How often changes are read at once, each time a page full.
const MOST_AT_ONCE: u32 = 1000;

/// One of them.
#[derive(Debug)]
pub enum Way {
    /// The dispatcher.
    Dispatcher,
    /// The kernel.
    Entries(Entries),
    /// `PATH`.
    Links(Links),
}

impl Way {
    /// The best one, for an image with or without a dispatcher, where `table` is the kernel's. None where there is
    /// no asker for this machine. To be called in the chroot.
    ///
    /// # Errors
    /// When it cannot be prepared.
    pub fn choose(dispatcher: bool, table: Option<Table>) -> Result<Option<Self>> {
        Ok(Some(match table {
            Some(_) if dispatcher => Way::Dispatcher,
            _ if ASKER.is_empty() => return Ok(None),
            Some(table) => Way::Entries(Entries::new(table, ASKER)?),
            None => Way::Links(Links::new(ASKER)?),
        }))
    }

    /// The `PATH` of commands, if it is to be another one.
    pub fn path(&self) -> Option<(String, String)> {
        let first = |path| ("PATH".into(), format!("{}:{path}", links::FOLDER));
        matches!(self, Way::Links(_)).then(|| first(PATH))
    }

    /// What it does not find.
    pub fn weakness(&self) -> Option<Event> {
        matches!(self, Way::Links(_)).then_some(Event::AnsweredByPath)
    }

    /// Follows what is there now.
    fn update(&mut self) {
        match self {
            Way::Dispatcher => {}
            Way::Entries(entries) => entries.update(&present::all(Path::new("/"))),
            Way::Links(links) => links.update(&present::all(Path::new("/"))),
        }
    }
}

/// A way that follows changes of the image.
#[derive(Debug, Clone)]
pub struct Followed(Arc<Following>);

#[derive(Debug)]
struct Following {
    way: Mutex<Way>,
    /// None where the kernel has no more of these for us.
    changes: Option<Inotify>,
}

impl Followed {
    /// From now on.
    pub fn new(mut way: Way) -> Self {
        let changes = match way {
            Way::Dispatcher => None,
            _ => Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok(),
        };
        // Before the first look, so that nothing is missed in between.
        let following = changes.inspect(watch);
        way.update();
        Followed(Arc::new(Following {
            way: Mutex::new(way),
            changes: following,
        }))
    }

    /// Follows what has changed until now: before a command, which may need it.
    pub fn update(&self) {
        // Whoever comes while another one does it, waits for that.
        let mut way = self.0.way.lock().expect("no panic while locked");
        let mut changed = self.0.changes.is_none();
        if let Some(changes) = &self.0.changes {
            let some = |_: &u32| changes.read_events().is_ok_and(|events| !events.is_empty());
            // An image that changes without an end must not keep us here.
            changed = (0..MOST_AT_ONCE).take_while(some).count() > 0;
            if changed {
                // What is there by now may be other folders.
                watch(changes);
            }
        }
        if changed {
            way.update();
        }
    }

    /// Follows changes as they come, in a thread of its own: a command may install packages, and use them.
    pub fn keep_up(&self) {
        if self.0.changes.is_none() {
            return;
        }
        let followed = self.clone();
        thread::spawn(move || {
            while let Some(changes) = &followed.0.changes {
                let waited = PollFd::new(changes.as_fd(), PollFlags::POLLIN);
                // A signal, at worst.
                let _ = poll(&mut [waited], PollTimeout::NONE);
                followed.update();
            }
        });
    }
}

/// Watches every folder that has such programs, or what their links lead through.
fn watch(changes: &Inotify) {
    let flags = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ONLYDIR;
    for folder in present::FOLDERS.iter().chain(&["etc/alternatives"]) {
        // Not every image has all of them.
        let _ = changes.add_watch(&Path::new("/").join(folder), flags);
    }
}
