//! Turns between runs: what one downloads, others wait for.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::item::Item;

/// How long a run waits for another one: apt gives up after 30 seconds of silence.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it looks.
const POLL: Duration = Duration::from_millis(50);

/// The locks of a store, in a folder of its own.
pub struct Turns {
    dir: PathBuf,
    /// Whether other runs are still waited for.
    patient: AtomicBool,
}

/// The right to download something that others wait for, until it is dropped.
pub struct Turn {
    _lock: Option<File>,
}

impl Turns {
    /// Opens the locks of the store in `dir`.
    pub fn open(dir: &Path) -> io::Result<Turns> {
        let dir = dir.join("locks");
        fs::create_dir_all(&dir)?;
        Ok(Turns {
            dir,
            patient: AtomicBool::new(true),
        })
    }

    /// Waits while another run downloads `item`, within reason: a run that has waited for nothing once does
    /// not wait again, as the other one may be there to keep it waiting.
    pub fn take(&self, item: &Item) -> Turn {
        // Some share a lock, so that there are not ever more of these files.
        let name = item.key.get(..2).unwrap_or_default();
        let path = self.dir.join(name);
        let Ok(file) = File::options().create(true).append(true).open(path) else {
            return Turn { _lock: None };
        };
        let deadline = Instant::now() + PATIENCE;
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            if Instant::now() > deadline {
                self.patient.store(false, Ordering::Relaxed);
            }
            if !self.patient.load(Ordering::Relaxed) {
                return Turn { _lock: None };
            }
            thread::sleep(POLL);
        }
        Turn { _lock: Some(file) }
    }
}
