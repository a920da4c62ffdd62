//! Locks between runs: flock on files in the cache's `locks/`, which the kernel lets go of with
//! the process. The files stay: removing one would let two runs lock two files of one name.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock at `path` if nobody has it; else `Err` with the process that does, if it told.
pub fn try_now(path: &Path) -> io::Result<Result<Lock, Option<u32>>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Ok(taken(file))),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(path).unwrap_or_default();
            Ok(Err(holder.trim().parse().ok()))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock at `path`; calls `waiting` once if somebody has it, then waits.
pub fn wait(path: &Path, waiting: impl FnOnce(Option<u32>)) -> io::Result<Lock> {
    match try_now(path)? {
        Ok(lock) => return Ok(lock),
        Err(holder) => waiting(holder),
    }
    let file = open(path)?;
    file.lock()?;
    Ok(taken(file))
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn taken(file: File) -> Lock {
    // Only for messages, so failure does no harm. Padded, to cover whatever was there.
    let _ = file.write_all_at(format!("{:<10}\n", std::process::id()).as_bytes(), 0);
    Lock { _file: file }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = try_now(&path).unwrap().unwrap();
        assert_eq!(
            try_now(&path).unwrap().unwrap_err(),
            Some(std::process::id())
        );
        let waiter = {
            let (path, (sender, receiver)) = (path.clone(), std::sync::mpsc::channel());
            let thread = std::thread::spawn(move || {
                wait(&path, |_| sender.send(()).unwrap()).unwrap();
            });
            receiver.recv().unwrap();
            thread
        };
        drop(first);
        waiter.join().unwrap();
        assert!(try_now(&path).unwrap().is_ok());
    }
}
