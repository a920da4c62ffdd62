//! The work image: a copy of the base image beside the output, which it becomes in one step.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{cache::BaseImage, copy, kept, output::OutputFile};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report, Task},
    sys::{self, room},
};

/// The image being provisioned. Dropped without [`WorkImage::publish`] or [`WorkImage::keep`] it is
/// gone, and so it is, on file systems with O_TMPFILE, when the process is killed.
pub struct WorkImage(OutputFile);

impl WorkImage {
    /// Copies `base` to a new file in the directory of `output`, which is not touched yet; `force`
    /// says whether it may be replaced in the end, `owner` whom the result belongs to, by user and group,
    /// where that is not this process's user.
    ///
    /// # Errors
    /// [`Kind::Host`] when the copy cannot be made, with the disk full for instance.
    pub fn create(
        base: &BaseImage,
        output: &Path,
        force: bool,
        owner: Option<(u32, u32)>,
        report: &dyn Report,
    ) -> Result<WorkImage> {
        let failed = || format!("cannot make the work image beside {}", output.display());
        let new = OutputFile::create(output, force, owner).context(Kind::Host, failed)?;
        let task = Task::Copying(base.path().to_owned());
        let progress = report.begin(task, Some(base.size()));
        let method = copy::copy(base.file(), new.file(), base.size(), &mut |at| {
            progress.at(at)
        })
        .map_err(|error| no_room(error, new.file(), base, failed))?;
        report.tell(Event::Copied(method));
        Ok(WorkImage(new))
    }

    /// An empty one, for a new image.
    ///
    /// # Errors
    /// As [`WorkImage::create`].
    pub fn empty(output: &Path, force: bool, owner: Option<(u32, u32)>) -> Result<WorkImage> {
        let failed = || format!("cannot make the work image beside {}", output.display());
        OutputFile::create(output, force, owner)
            .map(WorkImage)
            .context(Kind::Host, failed)
    }

    /// The image, open for reading and writing.
    pub fn file(&self) -> &File {
        self.0.file()
    }

    /// It, as the file that becomes the output.
    pub fn into_output(self) -> OutputFile {
        self.0
    }

    /// Keeps it as it is, for looking into after a failure, in place of one that was kept before. Returns its
    /// new name ([`kept::name`]).
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be given a name.
    pub fn keep(self) -> Result<PathBuf> {
        let kept = kept::name(self.0.path());
        self.0.keep(&kept)?;
        Ok(kept)
    }
}

/// The error of a copy that failed: with figures, if it was for lack of room.
fn no_room(
    error: io::Error,
    file: &File,
    base: &BaseImage,
    what: impl FnOnce() -> String,
) -> Error {
    let full = sys::file::is_full(&error);
    let error = Err::<(), _>(error).context(Kind::Host, what).unwrap_err();
    if !full {
        return error;
    }
    let taken = |file: &File| file.metadata().map_or(0, |meta| meta.blocks() * 512);
    let more = taken(base.file()).saturating_sub(taken(file));
    error.better_hint(room::hint(file, Some(more), "name another --output"))
}

#[cfg(test)]
mod tests;
