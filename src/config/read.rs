//! Which configuration file is read.

use std::path::{Path, PathBuf};

use super::file::{self, File};
use crate::{
    error::{Error, Result},
    nearest,
};

/// What people call the file when they do not remember its name.
const OTHER_NAMES: [&str; 3] = ["pichroot.yaml", ".pichroot.yml", ".pichroot.yaml"];

/// The configuration in the file `given`, else in ./pichroot.yml where that exists, and the folder
/// that its paths start from.
///
/// # Errors
/// [`crate::error::Kind::Usage`] where it cannot be read, or holds what it must not.
pub(super) fn read_config(given: Option<&Path>, cwd: &Path) -> Result<(File, PathBuf)> {
    let Some(path) = chosen(given, cwd)? else {
        return Ok((File::default(), cwd.to_owned()));
    };
    let folder = path.parent().unwrap_or(cwd).to_owned();
    let read = File::read(&path).map_err(|error| match path.exists() {
        true => error,
        false => error.better_hint(missing(given.unwrap_or(&path), &path)),
    });
    Ok((read?, folder))
}

/// A configuration file beside `playbook` that nobody reads, as it is not in the working directory.
pub(super) fn unread(given: Option<&Path>, cwd: &Path, playbook: &Path) -> Option<PathBuf> {
    let read = given.is_some() || cwd.join(file::NAME).exists();
    let beside = playbook.with_file_name(file::NAME);
    (!read && beside.is_file()).then_some(beside)
}

fn chosen(given: Option<&Path>, cwd: &Path) -> Result<Option<PathBuf>> {
    if let Some(path) = given {
        return Ok(Some(cwd.join(path)));
    }
    let usual = cwd.join(file::NAME);
    if usual.exists() {
        return Ok(Some(usual));
    }
    match OTHER_NAMES.iter().find(|name| cwd.join(name).is_file()) {
        None => Ok(None),
        Some(name) => Err(
            Error::usage(format!("{} is not read", cwd.join(name).display())).hint(format!(
                "rename it to {}, or name it by --config {name}",
                file::NAME
            )),
        ),
    }
}

/// What to do where there is no file `path`, written as `given`.
fn missing(given: &Path, path: &Path) -> String {
    // As in `ansible-playbook -c local`.
    let connections = [
        "local", "chroot", "ssh", "smart", "paramiko", "docker", "podman",
    ];
    if connections.iter().any(|name| given == Path::new(name)) {
        return "-c is the configuration file here; the connection to the image is pichroot's own"
            .into();
    }
    nearest::hint(path, "name a readable file with --config")
}
