//! Whether a Python that is running is still the one that would be started: a playbook may upgrade it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::command::Start;

/// What a running interpreter depends on, as it says itself.
#[derive(Debug, Deserialize)]
pub struct DependsOn {
    /// Its program, shared objects and standard library.
    files: Vec<PathBuf>,
    /// Directories whose `*.pth` and `*customize.py` files it has read.
    sites: Vec<PathBuf>,
}

/// The most that is believed of a [`DependsOn`].
const MAX_FILES: usize = 256;

/// Read by C libraries at their first use, and not again.
const OF_LIBC: [&str; 2] = ["/usr/lib/locale/locale-archive", "/etc/locale.alias"];

/// What sudo, su and their PAM modules read: who may become whom, with what groups and environment.
const OF_BECOME: [&str; 12] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/doas.conf",
    "/etc/environment",
    "/etc/login.defs",
    "/etc/nsswitch.conf",
    "/etc/pam.d",
    "/etc/security",
    "/etc/security/limits.d",
];

/// A state of these files to compare with a later one.
#[derive(Debug, PartialEq, Eq)]
pub struct State(Vec<Option<Version>>);

type Version = (u64, u64, u64, i64, i64);

impl State {
    /// The files as they are now.
    pub fn of(depends: &DependsOn, start: &Start) -> State {
        let become_files = start.say.is_some().then_some(&OF_BECOME[..]);
        let fixed = OF_LIBC.iter().chain(become_files.into_iter().flatten());
        let mut files = depends.files.clone();
        files.truncate(MAX_FILES);
        files.push((&start.interpreter).into());
        files.extend(fixed.map(PathBuf::from));
        for site in depends.sites.iter().take(MAX_FILES) {
            files.extend(read_at_start(site));
        }
        State(files.iter().map(|file| version(file)).collect())
    }
}

/// The files of a site directory that an interpreter reads when it starts.
fn read_at_start(site: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(site) else {
        return Vec::new();
    };
    let mut names = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".pth") || name.ends_with("customize.py")
        })
        .collect::<Vec<_>>();
    names.sort();
    // Itself, since one that does not exist is not searched later.
    names.push(site.join("."));
    names.truncate(MAX_FILES);
    names
}

fn version(path: &Path) -> Option<Version> {
    let is_site = path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    let data = fs::metadata(path).ok()?;
    // What is put into a site directory later is found.
    let (size, seconds, nanoseconds) = if is_site {
        (0, 0, 0)
    } else {
        (data.size(), data.mtime(), data.mtime_nsec())
    };
    Some((data.dev(), data.ino(), size, seconds, nanoseconds))
}
