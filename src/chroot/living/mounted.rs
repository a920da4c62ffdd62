//! What tasks have mounted in the chroot. It is in the chroot's own namespace and gone with it: only the folder that it is mounted
//! on is the image's.

use std::collections::BTreeMap;

/// The most file systems that stand in for others.
const MAX_EMPTY: usize = 200;

/// How something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is itself.
    Real,
    /// It is the chroot's own, shown a second time.
    Shown,
    /// An empty file system stands in for it.
    Empty,
    /// The chroot has had it before.
    There,
}

/// All of it, by paths without links.
#[derive(Debug, Default)]
pub struct MountedByTasks(BTreeMap<String, Made>);

impl MountedByTasks {
    /// How what is at this path is there, if a task has mounted it.
    pub fn get(&self, at: &str) -> Option<Made> {
        self.0.get(at).copied()
    }

    /// Notes it.
    pub fn add(&mut self, at: &str, made: Made) {
        self.0.insert(at.to_owned(), made);
    }

    /// Forgets it.
    pub fn remove(&mut self, at: &str) -> Option<Made> {
        self.0.remove(at)
    }

    /// Whether nothing more may stand in for something.
    pub fn is_full(&self) -> bool {
        self.0.values().filter(|made| **made == Made::Empty).count() >= MAX_EMPTY
    }
}
