//! Downloads to a file, going on where an earlier attempt, or an earlier run, stopped.

#[cfg(test)]
pub(super) mod server;
#[cfg(test)]
mod tests;
mod transfer;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use transfer::{State, Transfer};

use super::{
    digest::name_for,
    http::Client,
    record::{self, Validators},
};
use crate::{
    address::Address,
    error::{Context, Kind, Result},
    event::Report,
};

/// What came of asking a server for a file.
pub enum Answer {
    /// It is still the version that was asked about.
    Unchanged,
    /// It is in this file.
    Complete(Download),
}

/// A download, in files of its own until [`Download::remove`].
#[derive(Debug)]
pub struct Download {
    part: PathBuf,
    meta: PathBuf,
    state: State,
}

/// Downloads `url` into the directory `dir`. The caller sees to it that no other run does.
///
/// With `cached`, asks first whether the file is still that version. `verified` says that the
/// content will be checked, so that a server which names no versions may be trusted to resume.
///
/// # Errors
/// [`Kind::Usage`] when the server does not have the file, [`Kind::Host`] when the network or the
/// disk fails; what was read until then stays for the next attempt.
pub fn download(
    client: &Client,
    dir: &Path,
    url: &str,
    cached: Option<&Validators>,
    verified: bool,
    report: &dyn Report,
) -> Result<Answer> {
    let shown = Address::of(url).to_string();
    let part = dir.join(format!("{}.part", name_for(url)));
    let meta = part.with_extension("json");
    let mut state: State = record::read(&meta).unwrap_or_default();
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&part)
        .context(Kind::Host, || format!("cannot write {}", part.display()))?;
    let mut transfer = Transfer {
        client,
        url,
        shown: &shown,
        file: &file,
        meta: &meta,
        verified,
        report,
    };
    let length = || file.metadata().map_or(0, |meta| meta.len());
    let complete = client.patiently(report, &mut || length(), &mut || {
        transfer.attempt(&mut state, cached)
    });
    match complete {
        Ok(true) => Ok(Answer::Complete(Download { part, meta, state })),
        unchanged_or_failed => {
            // Nothing to resume from: leave nothing.
            if length() == 0 {
                let _ = (fs::remove_file(&part), fs::remove_file(&meta));
            }
            unchanged_or_failed.map(|_| Answer::Unchanged)
        }
    }
}

impl Download {
    /// Opens the complete file.
    pub fn open(&self) -> Result<File> {
        File::open(&self.part).context(Kind::Host, || {
            format!("cannot read {}", self.part.display())
        })
    }

    /// What the server said to recognise this version by.
    pub fn validators(&self) -> &Validators {
        &self.state.validators
    }

    /// Removes it; it is of no more use, or no good.
    pub fn remove(self) {
        // A file that cannot be removed now is resumed, and found complete, by the next download.
        let _ = (fs::remove_file(&self.part), fs::remove_file(&self.meta));
    }
}
