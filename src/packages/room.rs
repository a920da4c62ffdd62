//! Room on the disk for what is being downloaded, beside what is left to others.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard},
};

use nix::sys::statvfs::statvfs;

/// The room that is left to others on the file system, in bytes: work images may be on it.
const OTHERS: u64 = 1 << 30;

/// How much is still to come of all files that have been given room, in bytes.
#[derive(Default)]
pub struct Room(Mutex<u64>);

impl Room {
    /// For a file of `length` bytes in `dir`, if there is as much.
    pub fn take(&self, dir: &Path, length: u64) -> Option<Missing<'_>> {
        let mut coming = self.coming();
        let all = coming.checked_add(length)?;
        if free(dir)? < all.saturating_add(OTHERS) {
            return None;
        }
        *coming = all;
        Some(Missing {
            bytes: length,
            room: self,
        })
    }

    fn coming(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn free(dir: &Path) -> Option<u64> {
    let space = statvfs(dir).ok()?;
    Some(space.blocks_available() as u64 * space.fragment_size() as u64)
}

/// What is still to come of a file. Its room is given back when it is dropped.
pub struct Missing<'a> {
    bytes: u64,
    room: &'a Room,
}

impl Missing<'_> {
    /// What is left when `count` more bytes are on the disk; `None` if they are too many.
    pub fn after(&mut self, count: usize) -> Option<u64> {
        self.bytes = self.bytes.checked_sub(count as u64)?;
        *self.room.coming() -= count as u64;
        Some(self.bytes)
    }
}

impl Drop for Missing<'_> {
    fn drop(&mut self) {
        *self.room.coming() -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::default();
        let most = (free(dir.path()).unwrap() - OTHERS) / 4 * 3;
        let take = || room.take(dir.path(), most);
        let mut missing = take().unwrap();
        assert_eq!(missing.after(10), Some(most - 10));
        assert!(take().is_none());
        drop(missing);
        assert_eq!(*room.coming(), 0);
        let mut missing = take().unwrap();
        assert_eq!(missing.after(usize::MAX), None);
        assert_eq!(missing.after(most as usize), Some(0));
        assert!(room.take(dir.path(), u64::MAX).is_none());
    }
}
