//! Looks for names that only this build has in what the image keeps: a path of this run in fstab or a boot loader's
//! file is found when the machine does not boot.

use std::{
    io::Read,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::{
    fcntl::{AtFlags, OFlag, readlinkat},
    sys::stat::{Mode, SFlag, fstatat},
};

use crate::{
    error::{Error, Kind, Result},
    sys::inroot::{Root, path_of},
};

/// What a machine is set up by.
const FOLDERS: [&str; 2] = ["etc", "boot"];
/// What the chroot has, and the machine has not.
const OF_THE_CHROOT: [&str; 2] = ["/run/pichroot/", "/run/twins/"];
/// A larger file is no configuration; in bytes.
const MAX_FILE: u64 = 1 << 20;
/// More files than these folders have.
const MAX_FILES: usize = 100_000;
/// A folder is not deeper than that.
const MAX_DEPTH: usize = 32;
/// FAT counts time in steps of two seconds.
const STEP: Duration = Duration::from_secs(2);

/// Looks through what the run has changed in /etc and /boot of the image at `root` for the paths `ours`, which only a
/// stage has, and those of the chroot. No program of the image runs any more.
///
/// # Errors
/// [`Kind::Playbook`] with the file and the name in it. What cannot be read is passed over.
pub fn search(root: &Root, ours: &[&Path], started: SystemTime) -> Result<()> {
    let ours: Vec<_> = ours.iter().map(|path| path.to_string_lossy()).collect();
    let since = started.checked_sub(STEP).unwrap_or(UNIX_EPOCH);
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = since.as_secs() as i64;
    let mut left = FOLDERS.map(|folder| (PathBuf::from(folder), 0)).to_vec();
    let mut files = 0;
    while let Some((folder, depth)) = left.pop() {
        for (path, entry) in entries(root, &folder, since) {
            files += 1;
            if files > MAX_FILES {
                return Ok(());
            }
            match entry {
                Entry::Folder if depth < MAX_DEPTH => left.push((path, depth + 1)),
                Entry::Folder | Entry::Old => {}
                Entry::Changed(text) => {
                    let ours = ours.iter().map(|name| &**name);
                    let mut names = OF_THE_CHROOT.into_iter().chain(ours);
                    if let Some(name) = names.find(|name| has(&text, name)) {
                        return Err(found(&path, name));
                    }
                }
            }
        }
    }
    Ok(())
}

/// What is in a folder.
enum Entry {
    Folder,
    /// What the run has not changed, or has no text.
    Old,
    /// The text of a file, or the target of a link.
    Changed(Vec<u8>),
}

/// What is in `folder`, with its path; changed is what has a time from `since` on, in seconds.
fn entries<'a>(
    root: &'a Root,
    folder: &'a Path,
    since: i64,
) -> impl Iterator<Item = (PathBuf, Entry)> + 'a {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let handle = root.open_at(folder, flags, Mode::empty()).ok();
    let entries = handle
        .as_ref()
        .and_then(|handle| std::fs::read_dir(path_of(handle)).ok());
    let entries = entries.into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let (name, handle) = (entry.file_name(), handle.as_ref()?);
        let path = folder.join(&name);
        let stat = fstatat(handle, &*name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        let changed = stat.st_ctime.max(stat.st_mtime) >= since;
        let entry = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => Entry::Folder,
            // One that covers have put aside and back has another ctime, and is the image's own.
            SFlag::S_IFLNK if stat.st_mtime >= since => Entry::Changed(target(handle, &name)?),
            SFlag::S_IFREG if changed && (0..=MAX_FILE as i64).contains(&stat.st_size) => {
                let mut text = Vec::new();
                let file = root.file(&path).ok()?;
                file.take(MAX_FILE).read_to_end(&mut text).ok()?;
                Entry::Changed(text)
            }
            _ => Entry::Old,
        };
        Some((path, entry))
    })
}

fn target(handle: &OwnedFd, name: &std::ffi::OsStr) -> Option<Vec<u8>> {
    let target = readlinkat(handle, name).ok()?;
    Some(target.into_encoded_bytes())
}

fn has(text: &[u8], name: &str) -> bool {
    text.windows(name.len()).any(|part| part == name.as_bytes())
}

fn found(path: &Path, name: &str) -> Error {
    Error::new(
        Kind::Playbook,
        format!(
            "/{} in the image names {name}, which is there only during the build",
            path.display()
        ),
    )
    .hint("have the playbook write what the machine has: ansible_host, for one, is the image's place on this machine")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn search_in(top: &Path, started: SystemTime) -> Result<()> {
        search(
            &Root::open(top).unwrap(),
            &["/proc/fs/nfsd/root".as_ref()],
            started,
        )
    }

    #[test]
    fn only_what_the_run_has_changed_is_blamed_for_the_chroots_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/deep/er")).unwrap();
        let (now, later) = (
            SystemTime::now(),
            SystemTime::now() + Duration::from_secs(60),
        );
        let file = dir.path().join("etc/deep/er/fstab");
        fs::write(&file, "x /run/pichroot/bin y").unwrap();
        let error = search_in(dir.path(), now).unwrap_err().to_string();
        assert!(
            error.starts_with("/etc/deep/er/fstab in the image names /run/pichroot/,"),
            "{error}"
        );
        assert!(search_in(dir.path(), later).is_ok());
        fs::write(&file, "x /proc/fs/nfsd/root/etc y").unwrap();
        assert!(search_in(dir.path(), now).is_err());
        // What servers of NFS have.
        fs::write(&file, "nfsd /proc/fs/nfsd nfsd auto 0 0").unwrap();
        assert!(search_in(dir.path(), now).is_ok());
    }

    #[test]
    fn links_are_read_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("boot")).unwrap();
        std::os::unix::fs::symlink("/boot", dir.path().join("boot/boot")).unwrap();
        assert!(search_in(dir.path(), SystemTime::now()).is_ok());
        std::os::unix::fs::symlink("/run/twins/x", dir.path().join("boot/x")).unwrap();
        assert!(search_in(dir.path(), SystemTime::now()).is_err());
    }
}
