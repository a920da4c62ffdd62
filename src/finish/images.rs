//! Outputs that are disk images: as they are, packed, or as virtual machines have them.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use super::{
    encode::encoder,
    output::{Format, Output},
    reader::Sparse,
    ready::{Ready, Summing},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Progress, Report, Task},
    image::{OutputFile, copy},
    sys::{file::is_full, qemu_img, room},
};

/// How much is read at once, in bytes.
const CHUNK: usize = 1 << 20;

/// How outputs are made.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    /// Whether an output that exists is replaced.
    pub force: bool,
    /// Whom they belong to, by user and group; this process's user where `None`.
    pub owner: Option<(u32, u32)>,
    /// Whether their checksums are wanted.
    pub sums: bool,
}

/// Makes `output` of the work image `work`.
///
/// # Errors
/// [`Kind::Host`] when it cannot be written, with the disk full for instance.
pub fn make(work: &File, output: &Output, making: Making, report: &dyn Report) -> Result<Ready> {
    let failed = || format!("cannot make {}", output.path.display());
    let size = work.metadata().context(Kind::Host, failed)?.len();
    let progress = report.begin(Task::Packing(output.path.clone()), Some(size));
    let progress = progress.as_ref();
    let new = OutputFile::create(&output.path, making.force, making.owner);
    let new = new.context(Kind::Host, failed)?;
    let sum = match output.format {
        Format::Image(Some(packing)) => {
            let (target, sum) = Summing::new(new.file(), making.sums);
            let mut source = Sparse::new(work, size);
            let packed = encoder(Some(packing), target).and_then(|mut encoder| {
                pump(&mut source, &mut encoder, progress)?;
                encoder.finish()
            });
            packed.map_err(|error| not_written(error, new.file(), failed))?;
            sum.get()
        }
        Format::Disk(format) => {
            let mut at = |part: f64| progress.at((part * size as f64) as u64);
            qemu_img::convert((work, None, true), (new.file(), Some(format)), &mut at)
                .map_err(|error| with_room(error, new.file()))
                .context(Kind::Host, failed)?;
            sum_of(new.file(), making.sums).context(Kind::Host, failed)?
        }
        Format::Image(None) => {
            copy::copy(work, new.file(), size, &mut |at| progress.at(at))
                .map_err(|error| not_written(error, new.file(), failed))?;
            sum_of(new.file(), making.sums).context(Kind::Host, failed)?
        }
        Format::Archive(_) | Format::Folder => {
            return Err(Error::other(format!(
                "{} is no image",
                output.path.display()
            )));
        }
    };
    Ok(Ready::file(new, sum))
}

/// The SHA-256 of a whole file, if it is wanted.
pub fn sum_of(file: &File, wanted: bool) -> io::Result<Option<String>> {
    if !wanted {
        return Ok(None);
    }
    let (mut sink, sum) = Summing::new(io::sink(), true);
    io::copy(&mut Sparse::new(file, file.metadata()?.len()), &mut sink)?;
    Ok(sum.get())
}

/// Copies everything, and tells how far it is.
fn pump(from: &mut dyn Read, to: &mut dyn Write, progress: &dyn Progress) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        to.write_all(&chunk[..count])?;
        done += count as u64;
        progress.at(done);
    }
}

/// The error of an output that cannot be written: with figures, if it was for lack of room.
pub fn not_written(error: io::Error, file: &File, what: impl FnOnce() -> String) -> Error {
    let full = is_full(&error);
    let error = Err::<(), _>(error).context(Kind::Host, what).unwrap_err();
    match full {
        true => error.better_hint(hint(file)),
        false => error,
    }
}

fn with_room(error: Error, file: &File) -> Error {
    match error.kind() {
        Kind::Host if error.to_string().contains("No space left") => error.better_hint(hint(file)),
        _ => error,
    }
}

fn hint(file: &File) -> String {
    room::hint(file, None, "name another --output")
}
