//! A file of the image that ours is in place of while the image is in use.
//!
//! What was there waits beside it under another name, the same inode, and both change places in one step. So
//! whatever is killed, one of two things is there: ours, with the image's own waiting, or something else, and then what waits
//! is of no use any more. Opening an image and closing it go by that alone.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
};

use nix::{
    fcntl::{AtFlags, OFlag, RenameFlags, openat, readlinkat, renameat, renameat2},
    sys::{
        stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens},
        time::TimeSpec,
    },
    unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat},
};

use super::{cover::Cover, names::MAX_TEXT};
use crate::{chroot::times::Times, sys::inroot::path_of};

/// What a task made of ours, and of the longest file that is in it, is shorter, in bytes.
const MAX_EDITED: u64 = 16 * MAX_TEXT;
/// More than a directory with such files has.
const MAX_NAMES: usize = 10_000;
/// More copies than anybody makes.
const MAX_COPIES: usize = 100;

/// A name in a directory of the image.
#[derive(Debug)]
pub struct Place {
    dir: OwnedFd,
    name: OsString,
    cover: Cover,
}

/// What is at a name.
enum Found {
    Nothing,
    File(FileStat),
    Link,
    Directory,
    /// A fifo, a socket or a device.
    Other,
}

/// Whose it is what is there.
enum Whose {
    Ours,
    /// Ours, and this beside it.
    Edited(Vec<u8>),
    Theirs,
}

impl Place {
    pub fn new(dir: OwnedFd, name: &OsStr, cover: Cover) -> Self {
        let name = name.to_owned();
        Place { dir, name, cover }
    }

    /// Puts ours there: `text` makes it of what the file has. What links lead to is not looked at: with `link`, a link is
    /// replaced by that one.
    pub fn put(&self, text: impl Fn(&[u8]) -> Vec<u8>, link: Option<&str>) -> io::Result<Times> {
        let times = Times::of(&self.dir)?;
        let waiting = self.waiting();
        let found = self.look(&self.name)?;
        let original = self.read(&self.name, &found, MAX_TEXT)?;
        let put = || {
            match (&found, link) {
                (Found::Directory, _) => return Err(io::ErrorKind::IsADirectory.into()),
                (Found::Link, Some(link)) => symlinkat(link, &self.dir, &*waiting)?,
                (Found::File(like), _) => self.write(&waiting, &text(&original), Some(like))?,
                _ => self.write(&waiting, &text(&original), None)?,
            }
            let how = match found {
                Found::Nothing => RenameFlags::RENAME_NOREPLACE,
                _ => RenameFlags::RENAME_EXCHANGE,
            };
            Ok(renameat2(
                &self.dir,
                &*waiting,
                &self.dir,
                &*self.name,
                how,
            )?)
        };
        let done = put();
        if done.is_err() {
            // The first failure is the one to report.
            let _ = self.remove(&waiting);
        }
        times.put_back()?;
        done.map(|()| times)
    }

    /// Puts back what was there, if ours is there still; what somebody else has put there stays.
    pub fn settle(&self) -> io::Result<()> {
        let waiting = self.waiting();
        let now = self.look(&self.name)?;
        let before = match self.look(&waiting)? {
            // We do not put one aside.
            Found::Directory => Found::Nothing,
            before => before,
        };
        match self.whose(&now, &before)? {
            Whose::Ours => self.put_back(&now, &before, None),
            Whose::Edited(text) => self.put_back(&now, &before, Some(&text)),
            Whose::Theirs => match before {
                Found::Nothing => Ok(()),
                _ => self.remove(&waiting),
            },
        }
    }

    fn whose(&self, now: &Found, before: &Found) -> io::Result<Whose> {
        let original = match self.cover {
            Cover::Names => self.read(&self.waiting(), before, MAX_TEXT)?,
            Cover::Policy => Vec::new(),
        };
        Ok(match now {
            Found::Link => match readlinkat(&self.dir, &*self.name)? == self.cover.link() {
                true => Whose::Ours,
                false => Whose::Theirs,
            },
            Found::File(_) => match self.cover.without(&self.read(&self.name, now, MAX_EDITED)?) {
                Some(left) if left == original => Whose::Ours,
                Some(left) => Whose::Edited(left),
                None => Whose::Theirs,
            },
            _ => Whose::Theirs,
        })
    }

    /// Ends with the image's own file, which then has `text` if somebody has edited ours, and the owner and the mode that
    /// ours was given.
    fn put_back(&self, now: &Found, before: &Found, text: Option<&[u8]>) -> io::Result<()> {
        let waiting = self.waiting();
        if let (Found::File(now), Found::File(before)) = (now, before) {
            let flags = match text {
                Some(_) => OFlag::O_WRONLY | OFlag::O_TRUNC,
                None => OFlag::O_RDONLY,
            };
            let file = self.open(&waiting, flags)?;
            if let Some(text) = text {
                (&file).write_all(text)?;
                set_times(&file, now)?;
            }
            if self.cover == Cover::Names {
                same_rights(&file, now, before)?;
            }
        }
        match (text, before) {
            // What was there is no file that could have been edited.
            (Some(text), Found::Nothing | Found::Link | Found::Directory | Found::Other) => {
                let Found::File(now) = now else {
                    return Ok(());
                };
                let _ = self.remove(&waiting);
                self.write(&waiting, text, Some(now))?;
                set_times(&self.open(&waiting, OFlag::O_RDONLY)?, now)?;
            }
            (None, Found::Nothing) => return self.remove(&self.name),
            _ => {}
        }
        Ok(renameat(&self.dir, &*waiting, &self.dir, &*self.name)?)
    }

    /// Makes copies of ours, which tasks and packages put beside it, copies of what was there. To be done before it is
    /// settled.
    pub fn clean_copies(&self) -> io::Result<()> {
        let waiting = self.waiting();
        let original = match self.cover {
            // It is in what it is a copy of.
            Cover::Names => Vec::new(),
            Cover::Policy => self.read(&waiting, &self.look(&waiting)?, MAX_TEXT)?,
        };
        let copies = std::fs::read_dir(path_of(&self.dir))?
            .take(MAX_NAMES)
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| contains(name.as_bytes(), self.name.as_bytes()))
            .filter(|name| *name != self.name && *name != waiting)
            .take(MAX_COPIES)
            .collect::<Vec<_>>();
        let mut all = copies.iter();
        all.try_for_each(|name| self.clean_copy(name, &original))
    }

    /// Where nothing is left of a copy, nothing was there to be copied.
    pub fn clean_copy(&self, name: &OsStr, original: &[u8]) -> io::Result<()> {
        let now = self.look(name)?;
        let Found::File(stat) = &now else {
            return Ok(());
        };
        let Some(mut left) = self.cover.without(&self.read(name, &now, MAX_EDITED)?) else {
            return Ok(());
        };
        left.extend(original);
        if left.is_empty() {
            return self.remove(name);
        }
        let file = self.open(name, OFlag::O_WRONLY | OFlag::O_TRUNC)?;
        (&file).write_all(&left)?;
        set_times(&file, stat)
    }

    /// The name under which the image's own file waits.
    fn waiting(&self) -> OsString {
        let mut waiting = OsString::from(".");
        waiting.push(&self.name);
        waiting.push(".pichroot");
        waiting
    }

    fn look(&self, name: &OsStr) -> io::Result<Found> {
        let stat = match fstatat(&self.dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(nix::Error::ENOENT) => return Ok(Found::Nothing),
            found => found?,
        };
        Ok(
            match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
                SFlag::S_IFREG => Found::File(stat),
                SFlag::S_IFLNK => Found::Link,
                SFlag::S_IFDIR => Found::Directory,
                _ => Found::Other,
            },
        )
    }

    /// A file's content; nothing of what is no file, or longer than any that concerns us.
    fn read(&self, name: &OsStr, found: &Found, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Found::File(stat) = found
            && stat.st_size as u64 <= limit
        {
            let file = self.open(name, OFlag::O_RDONLY)?;
            file.take(limit).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn open(&self, name: &OsStr, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(openat(&self.dir, name, flags, Mode::empty())?.into())
    }

    /// A new file, with the owner and the mode of another one, or those of ours.
    fn write(&self, name: &OsStr, text: &[u8], like: Option<&FileStat>) -> io::Result<()> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let file = File::from(openat(
            &self.dir,
            name,
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )?);
        (&file).write_all(text)?;
        if let Some(like) = like.filter(|_| self.cover == Cover::Names) {
            return same_rights(&file, like, &fstat(&file)?);
        }
        Ok(fchmod(&file, Mode::from_bits_truncate(self.cover.mode()))?)
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

/// Gives `file`, which is like `has`, the owner and the mode of `like`.
fn same_rights(file: &File, like: &FileStat, has: &FileStat) -> io::Result<()> {
    if (like.st_uid, like.st_gid) != (has.st_uid, has.st_gid) {
        let (user, group) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
        fchown(file, Some(user), Some(group))?;
    }
    if like.st_mode != has.st_mode {
        fchmod(file, Mode::from_bits_truncate(like.st_mode))?;
    }
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn set_times(file: &File, like: &FileStat) -> io::Result<()> {
    let accessed = TimeSpec::new(like.st_atime, like.st_atime_nsec);
    let modified = TimeSpec::new(like.st_mtime, like.st_mtime_nsec);
    Ok(futimens(file, &accessed, &modified)?)
}
