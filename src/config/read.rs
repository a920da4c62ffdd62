//! Which configuration file is read.

use std::path::{Path, PathBuf};

use super::file::{self, File};
use crate::error::Result;

/// The configuration in the file `given`, else in ./pichroot.yml where that exists, and the folder
/// that its paths start from.
///
/// # Errors
/// [`crate::error::Kind::Usage`] where it cannot be read, or holds what it must not.
pub(super) fn read_config(given: Option<&Path>, cwd: &Path) -> Result<(File, PathBuf)> {
    let path = match given {
        Some(path) => cwd.join(path),
        None if cwd.join(file::NAME).exists() => cwd.join(file::NAME),
        None => return Ok((File::default(), cwd.to_owned())),
    };
    let folder = path.parent().unwrap_or(cwd).to_owned();
    Ok((File::read(&path)?, folder))
}
