//! The work image: a copy of the base image beside the output, which it becomes in one step.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use super::{cache::BaseImage, copy, kept};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report, Task},
    sys::{
        self,
        newfile::{self, NewFile},
        room,
    },
};

/// The permissions of an output. A provisioned image holds what the playbook put in, such as Ceph
/// keys, Wi-Fi passwords and password hashes, so only its owner may read it.
const MODE: u32 = 0o600;

/// Refuses an output that cannot be made or must not be replaced, before any work is done.
///
/// # Errors
/// [`Kind::Usage`] for a path that exists (without `force`), is the source, or is not a plain
/// file in a folder that exists.
pub fn check_output(output: &Path, force: bool, source: Option<&Path>) -> Result<()> {
    let wrong = |what: &str, hint: &str| {
        Err(Error::usage(format!("the output {} {what}", output.display())).hint(hint))
    };
    let ends_in_slash = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if output.file_name().is_none() || ends_in_slash || output.is_dir() {
        return wrong(
            "is a folder",
            "give the file's name too: -o FOLDER/NAME.img",
        );
    }
    if let Some(ending) = packed(output) {
        let plain = output.with_extension("");
        return wrong(
            &format!("would be a plain image, not {ending}"),
            &format!("name it {}, and pack that afterwards", plain.display()),
        );
    }
    let dir = directory(output);
    if !dir.is_dir() {
        return wrong(
            "is in a folder that does not exist",
            &format!("mkdir -p {}", dir.display()),
        );
    }
    if let (Ok(existing), Some(path)) = (fs::metadata(output), source)
        && let Ok(source) = fs::metadata(path)
        && (source.dev(), source.ino()) == (existing.dev(), existing.ino())
    {
        return wrong(
            "is the source image",
            "name another file by -o; a source is never changed",
        );
    }
    let Ok(existing) = fs::symlink_metadata(output) else {
        return Ok(());
    };
    if !existing.is_file() {
        return wrong(
            "exists and is not a regular file",
            "write to a file, then copy that to the device or link",
        );
    }
    if !force {
        return wrong("exists", "use --force to replace it, or name another by -o");
    }
    Ok(())
}

/// The ending that says an output is more than a plain image, which it cannot be yet.
fn packed(output: &Path) -> Option<&str> {
    const ENDINGS: [&str; 8] = ["xz", "gz", "zst", "zip", "bz2", "qcow2", "vmdk", "vdi"];
    let ending = output.extension()?.to_str()?;
    let known = |known: &&str| ending.eq_ignore_ascii_case(known);
    ENDINGS.iter().any(known).then_some(ending)
}

/// Refuses an output in a folder that this process may not write to.
///
/// # Errors
/// [`Kind::Host`], with the folder.
pub fn check_may_write(output: &Path) -> Result<()> {
    let dir = directory(output);
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK)
        .context(Kind::Host, || {
            format!("cannot write to the output's folder {}", dir.display())
        })
        .map_err(|error| error.hint("name an output in a folder that you may write to, by -o"))
}

/// The image being provisioned. Dropped without [`WorkImage::publish`] or [`WorkImage::keep`] it is
/// gone, and so it is, on file systems with O_TMPFILE, when the process is killed.
pub struct WorkImage {
    new: NewFile,
    output: PathBuf,
    force: bool,
    /// Whom the file is given to, by user and group; as it is where `None`.
    owner: Option<(u32, u32)>,
}

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
        let dir = directory(output);
        let mut prefix = OsString::from(".");
        prefix.push(output.file_name().unwrap_or_default());
        prefix.push(".pichroot-");
        newfile::sweep(dir, &prefix);
        let new = NewFile::create(dir, &prefix, MODE).context(Kind::Host, failed)?;
        let task = Task::Copying(base.path().to_owned());
        let progress = report.begin(task, Some(base.size()));
        let method = copy::copy(base.file(), new.file(), base.size(), &mut |at| {
            progress.at(at)
        })
        .map_err(|error| no_room(error, new.file(), base, failed))?;
        report.tell(Event::Copied(method));
        Ok(WorkImage {
            new,
            output: output.into(),
            force,
            owner,
        })
    }

    /// The image, open for reading and writing.
    pub fn file(&self) -> &File {
        self.new.file()
    }

    /// Makes it the output, complete and durable, in one step.
    ///
    /// # Errors
    /// [`Kind::Usage`] when an output has appeared that must not be replaced: then the image is kept
    /// under another name, which the hint tells. [`Kind::Host`] when the disk fails.
    pub fn publish(mut self) -> Result<()> {
        let failed = || format!("cannot write {}", self.output.display());
        self.give_to_owner().context(Kind::Host, failed)?;
        self.file().sync_all().context(Kind::Host, failed)?;
        let name = self.output.file_name().unwrap_or_default();
        match self.new.publish(name, self.force) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let output = self.output.clone();
                let kept = self.name_uniquely("new")?;
                return Err(Error::usage(format!(
                    "{} appeared while the image was made",
                    output.display()
                ))
                .hint(format!("the finished image is {}", kept.display())));
            }
            other => other.context(Kind::Host, failed)?,
        }
        newfile::sync_dir(directory(&self.output)).context(Kind::Host, failed)
    }

    /// Keeps it as it is, for looking into after a failure, in place of one that was kept before. Returns its
    /// new name ([`kept::name`]).
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be given a name.
    pub fn keep(mut self) -> Result<PathBuf> {
        let kept = kept::name(&self.output);
        let failed = || format!("cannot keep the image as {}", kept.display());
        self.give_to_owner().context(Kind::Host, failed)?;
        let name = kept.file_name().unwrap_or_default();
        self.new.publish(name, true).context(Kind::Host, failed)?;
        Ok(kept)
    }

    fn give_to_owner(&self) -> io::Result<()> {
        match self.owner {
            Some((user, group)) => fchown(self.file(), Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Gives it a name in the output's directory that nothing has.
    fn name_uniquely(&mut self, ending: &str) -> Result<PathBuf> {
        let mut number = 1;
        loop {
            let mut name = self.output.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{ending}"));
            if number > 1 {
                name.push(format!(".{number}"));
            }
            match self.new.publish(&name, false) {
                Ok(()) => return Ok(self.output.with_file_name(name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return Err(error).context(Kind::Host, || {
                        format!("cannot keep the image as {}", Path::new(&name).display())
                    });
                }
            }
        }
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

fn directory(output: &Path) -> &Path {
    match output.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
