//! The work image: a copy of the base image beside the output, which it becomes in one step.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, fchown},
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access, geteuid};

use super::{
    cache::BaseImage,
    copy::{self, Method},
    location::Location,
    source::Source,
};
use crate::{
    error::{Context, Error, Kind, Result},
    report::Report,
    sys::newfile::{self, NewFile},
};

/// The permissions of an output. A provisioned image holds what the playbook put in, such as Ceph
/// keys, Wi-Fi passwords and password hashes, so only its owner may read it.
const MODE: u32 = 0o600;

/// Refuses an output that cannot be made or must not be replaced, before any work is done.
///
/// # Errors
/// [`Kind::Usage`] for a path that exists (without `force`), is the source, or is not a plain
/// file in a directory that exists; [`Kind::Host`] for a directory that cannot be written.
pub fn check_output(output: &Path, force: bool, source: &Source) -> Result<()> {
    let shown = output.display();
    let Some(_) = output
        .file_name()
        .filter(|_| !output.as_os_str().as_encoded_bytes().ends_with(b"/"))
    else {
        return Err(Error::usage(format!("output {shown} is not a file name"))
            .hint("name a file, such as mypi.img"));
    };
    let dir = directory(output);
    let meta = fs::metadata(dir)
        .context(Kind::Usage, || {
            format!("cannot use the output directory {}", dir.display())
        })
        .map_err(|error| error.hint(format!("make it with mkdir -p {}", dir.display())))?;
    if !meta.is_dir() {
        return Err(
            Error::usage(format!("{} is not a directory", dir.display()))
                .hint("name an --output in a directory"),
        );
    }
    if let Ok(existing) = fs::metadata(output) {
        let kind = existing.file_type();
        if kind.is_dir() {
            return Err(Error::usage(format!("output {shown} is a directory"))
                .hint("name a file in it, such as mypi.img"));
        }
        if kind.is_block_device() || kind.is_char_device() {
            return Err(Error::usage(format!("output {shown} is a device"))
                .hint("make an image file, then write it with dd or bmaptool"));
        }
        if !kind.is_file() {
            return Err(Error::usage(format!("output {shown} is not a plain file"))
                .hint("name another --output"));
        }
        if let Location::Path(path) = &source.location
            && let Ok(source) = fs::metadata(path)
            && (source.dev(), source.ino()) == (existing.dev(), existing.ino())
        {
            return Err(
                Error::usage(format!("output {shown} is the source image itself"))
                    .hint("name another --output; a source is never changed"),
            );
        }
    }
    if !force && output.symlink_metadata().is_ok() {
        return Err(exists(output));
    }
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK)
        .context(Kind::Host, || {
            format!("cannot write in the output directory {}", dir.display())
        })
        .map_err(|error| error.hint("name an --output in a directory that you may write to"))
}

/// The image being provisioned. Dropped without [`WorkImage::publish`] or [`WorkImage::keep`] it is
/// gone, and so it is, on file systems with O_TMPFILE, when the process is killed.
pub struct WorkImage {
    new: NewFile,
    output: PathBuf,
    force: bool,
}

impl WorkImage {
    /// Copies `base` to a new file in the directory of `output`, which is not touched yet; `force`
    /// says whether it may be replaced in the end.
    ///
    /// # Errors
    /// [`Kind::Host`] when the copy cannot be made, with the disk full for instance.
    pub fn create(
        base: &BaseImage,
        output: &Path,
        force: bool,
        report: &dyn Report,
    ) -> Result<WorkImage> {
        let failed = || format!("cannot make the work image beside {}", output.display());
        let dir = directory(output);
        let mut prefix = OsString::from(".");
        prefix.push(output.file_name().unwrap_or_default());
        prefix.push(".pichroot-");
        newfile::sweep(dir, &prefix);
        let new = NewFile::create(dir, &prefix, MODE).context(Kind::Host, failed)?;
        let text = format!("copying {}", base.path().display());
        let progress = report.progress(&text, Some(base.size()));
        let method = copy::copy(base.file(), new.file(), base.size(), &mut |at| {
            progress.at(at)
        })
        .context(Kind::Host, failed)?;
        report.detail(match method {
            Method::Shared => "the work image shares its blocks with the base image",
            Method::Extents => "the work image is a copy of the base image's data",
            Method::ReadWrite => "the work image is a copy, made by reading and writing",
        });
        Ok(WorkImage {
            new,
            output: output.into(),
            force,
        })
    }

    /// The image, open for reading and writing.
    pub fn file(&self) -> &File {
        self.new.file()
    }

    /// The output that it will become.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Makes it the output, complete and durable, in one step.
    ///
    /// # Errors
    /// [`Kind::Usage`] when an output has appeared that must not be replaced: then the image is kept
    /// under another name, which the hint tells. [`Kind::Host`] when the disk fails.
    pub fn publish(mut self) -> Result<()> {
        let failed = || format!("cannot write {}", self.output.display());
        give_to_caller(self.file()).context(Kind::Host, failed)?;
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

    /// Keeps it as it is, for looking into after a failure; returns its new name, the output's with
    /// `.failed` behind it, and a number where that exists.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be given a name.
    pub fn keep(mut self) -> Result<PathBuf> {
        give_to_caller(self.file()).context(Kind::Host, || {
            format!("cannot keep the image of {}", self.output.display())
        })?;
        self.name_uniquely("failed")
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

fn exists(output: &Path) -> Error {
    Error::usage(format!("output {} exists", output.display()))
        .hint("name another --output, or replace it with --force")
}

fn directory(output: &Path) -> &Path {
    match output.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Gives the file to the user who called sudo, where that is how this runs.
fn give_to_caller(file: &File) -> io::Result<()> {
    let id = |name| env::var(name).ok()?.parse::<u32>().ok();
    if geteuid().is_root()
        && let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
    {
        fchown(file, Some(user), Some(group))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
