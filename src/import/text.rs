//! Reads the template and files of variables.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};

/// The largest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// The text of a template: of a file, or of all `*.pkr.hcl` of a folder.
///
/// # Errors
/// [`Kind::Usage`] where it cannot be read.
pub fn template(path: &Path) -> Result<String> {
    let failed = || format!("cannot read {}", path.display());
    let files = match path.is_dir() {
        false => vec![path.to_owned()],
        true => {
            let entries = std::fs::read_dir(path).context(Kind::Usage, failed)?;
            let files = entries.flatten().map(|entry| entry.path());
            let is_part = |file: &PathBuf| file.to_string_lossy().ends_with(".pkr.hcl");
            let mut files: Vec<_> = files.filter(is_part).collect();
            files.sort_unstable();
            files
        }
    };
    if files.len() > 1 {
        // Lines would be those of none of them.
        let what = format!("{} has {} files of a template", path.display(), files.len());
        return Err(Error::usage(what).hint("put them into one file first: cat *.pkr.hcl"));
    }
    let Some(file) = files.first() else {
        return Err(Error::usage(format!(
            "there is no template in {}",
            path.display()
        )));
    };
    bounded(file)
}

/// The text of a file.
///
/// # Errors
/// [`Kind::Usage`] where it cannot be read, or is too large to be meant.
pub fn bounded(file: &Path) -> Result<String> {
    let failed = || format!("cannot read {}", file.display());
    let meta = std::fs::metadata(file).context(Kind::Usage, failed)?;
    if !meta.is_file() || meta.len() > LIMIT {
        let what = format!("{} is not a text of at most 4 MiB", file.display());
        return Err(Error::usage(what));
    }
    std::fs::read_to_string(file).context(Kind::Usage, failed)
}
