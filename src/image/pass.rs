//! The one pass over a source: its bytes are hashed, decoded and written to a new base image.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::{FileExt, MetadataExt},
    rc::Rc,
};

use super::{
    cache::ELSEWHERE,
    convert,
    decode::{self, Format, HEAD},
    digest::{Algorithm, Digests, Hasher},
    expected::Expected,
    fit,
    record::Decoded,
    sparse::{self, Stop},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Progress, Report, Task},
    sys::{self, newfile::NewFile, qemu_img::DiskFormat, room},
};

/// The largest image that is decoded, in bytes: a guard against files made to fill the disk. The
/// largest images that ARM boards are published with are below 32 GiB.
const LIMIT: u64 = 64 << 30;

/// How much is read from the source at once, in bytes.
const BUFFER: usize = 1 << 20;

/// A source that is open, and what it is called in messages.
pub struct Input<'a> {
    /// The source, a regular file.
    pub file: &'a File,
    /// Its name.
    pub name: &'a str,
    /// How it is packed.
    pub format: Format,
}

/// The format of the file, by its first bytes.
///
/// # Errors
/// [`Kind::Image`] for a format that is known but not read, with what to do about it.
pub fn detect(file: &File, name: &str) -> Result<Format> {
    let mut head = Vec::new();
    Bytes::new(file, None)
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .context(Kind::Host, || format!("cannot read {name}"))?;
    match Format::detect(&head) {
        Format::Foreign(kind, hint) => {
            Err(Error::image(format!("{name} is in {kind} format, which is not read")).hint(hint))
        }
        Format::Page(page) => Err(
            Error::image(format!("{name} is {page}, not an image")).hint(
                "look at it in a browser: it may want a login, or lead to the image's own address",
            ),
        ),
        format => Ok(format),
    }
}

/// The digests of the source, with those that are `expected` among them.
pub fn digests(input: &Input, expected: &Expected, report: &dyn Report) -> Result<Digests> {
    let read_error = || format!("cannot read {}", input.name);
    let size = input.file.metadata().context(Kind::Host, read_error)?.len();
    let progress = report.begin(Task::Verifying(input.name.to_owned()), Some(size));
    let mut bytes = Bytes::new(input.file, Some((hasher(expected), Rc::from(progress))));
    bytes.drain().context(Kind::Host, read_error)?;
    Ok(bytes.finish())
}

/// The digests of an image that was unpacked from `source`.
pub fn of_image(
    file: &File,
    source: &str,
    expected: &Expected,
    report: &dyn Report,
) -> Result<Digests> {
    let input = Input {
        file,
        name: &format!("the image in {source}"),
        format: Format::Raw,
    };
    digests(&input, expected, report)
}

/// The digests of a file as it is.
pub fn of_file(file: &File, name: &str, report: &dyn Report) -> Result<Digests> {
    let format = Format::Raw;
    digests(&Input { file, name, format }, &Expected::default(), report)
}

/// Computes every digest that may be compared with what is expected.
fn hasher(expected: &Expected) -> Hasher {
    let given: Option<Algorithm> = expected.given.as_ref().map(|given| given.algorithm);
    Hasher::new(given)
}

/// An image that was written: its size and, where a catalogue lists it, its digests.
struct Written {
    size: u64,
    digests: Option<Digests>,
}

/// Decodes the source into `new`; it and the image in it are what is expected. Its signature has been verified.
///
/// # Errors
/// [`Kind::Image`] for a wrong checksum (rather than for the damage that it shows) or a source that
/// cannot be decoded; [`Kind::Host`] when the image cannot be written.
pub fn decode(
    input: &Input,
    new: &NewFile,
    expected: &Expected,
    report: &dyn Report,
) -> Result<Decoded> {
    let (written, digests) = match input.format {
        // Not a stream: its directory is at the end.
        Format::Zip => {
            let digests = digests(input, expected, report)?;
            (unzip(input, new, expected, report), digests)
        }
        Format::Disk(disk) => {
            let digests = digests(input, expected, report)?;
            (convert(input, disk, new, report), digests)
        }
        _ => unpack(input, new, expected, report)?,
    };
    let Written {
        size,
        digests: image,
    } = match written {
        Err(error) if error.kind() == Kind::Image => {
            fit::check_packed(input.name, expected, &digests)?;
            return Err(error);
        }
        other => other?,
    };
    let image = || image.map_or_else(|| of_image(new.file(), input.name, expected, report), Ok);
    let image_digests = fit::check(input.name, expected, &digests, image, report)?;
    Ok(Decoded {
        size,
        digests,
        image_digests,
    })
}

/// Decodes the image in a zip archive.
fn unzip(
    input: &Input,
    new: &NewFile,
    expected: &Expected,
    report: &dyn Report,
) -> Result<Written> {
    let bad = |error| read_error(input, error);
    decode::zip::with_image(input.file, bad, |_, size, reader| {
        let task = Task::Decompressing(input.name.to_owned());
        let progress = report.begin(task, Some(size));
        write(input, reader, new, (Some(size), expected), &mut |at| {
            progress.at(at)
        })
    })
}

/// Makes a plain image of the disk of a virtual machine.
fn convert(input: &Input, disk: DiskFormat, new: &NewFile, report: &dyn Report) -> Result<Written> {
    match convert::disk(input.file, input.name, disk, new, report)? {
        size if size > LIMIT => Err(too_large(input)),
        size => Ok(Written {
            size,
            digests: None,
        }),
    }
}

fn too_large(input: &Input) -> Error {
    Error::image(format!(
        "{} decompresses to more than {} GiB",
        input.name,
        LIMIT >> 30
    ))
    .hint("check that this is the right file; if it is, unpack it and name the result")
}

/// Decodes a stream; returns the image, or why there is none, and the digests of all of the source.
fn unpack(
    input: &Input,
    new: &NewFile,
    expected: &Expected,
    report: &dyn Report,
) -> Result<(Result<Written>, Digests)> {
    let size = input
        .file
        .metadata()
        .context(Kind::Host, || format!("cannot read {}", input.name))?;
    let task = Task::Decompressing(input.name.to_owned());
    let progress: Rc<dyn Progress> = Rc::from(report.begin(task, Some(size.len())));
    let hasher = hasher(expected);
    let mut source = BufReader::with_capacity(
        BUFFER,
        Bytes::new(input.file, Some((hasher, progress.clone()))),
    );
    let total = decode::unpacked_size(input.format, input.file);
    let written = match decode::open(input.format, &mut source) {
        Ok(mut reader) => {
            let progress = &mut |at| progress.written(at);
            write(input, &mut reader, new, (total, expected), progress)
        }
        Err(error) => Err(read_error(input, error)),
    };
    match written {
        Err(error) if error.kind() != Kind::Image => return Err(error),
        _ => {}
    }
    let mut source = source.into_inner();
    source
        .drain()
        .context(Kind::Host, || format!("cannot read {}", input.name))?;
    Ok((written, source.finish()))
}

/// How much of a file takes room, in bytes.
fn written(file: &File) -> u64 {
    file.metadata().map_or(0, |meta| meta.blocks() * 512)
}

/// Writes the decoded bytes as a sparse file; of `size` bytes, where that is known. Those of an image that a catalogue
/// lists are hashed as they go by, and no more of them than it has.
fn write(
    input: &Input,
    reader: &mut dyn Read,
    new: &NewFile,
    (size, expected): (Option<u64>, &Expected),
    progress: &mut dyn FnMut(u64),
) -> Result<Written> {
    let listed = expected.listed.as_ref().and_then(|listed| listed.size);
    let mut reader = Hashed {
        reader,
        hasher: expected.listed.as_ref().map(|_| hasher(expected)),
    };
    let mut check = |head: &[u8]| match Format::detect(head) {
        _ if head.is_empty() => Err(Error::image(format!("{} holds an empty image", input.name))
            .hint("get the image again, or name another one")),
        // Whether an archive is wanted is for whoever fetches it.
        Format::Raw | Format::Tar => Ok(()),
        Format::Page(page) => Err(Error::image(format!(
            "{} holds {page} instead of a disk image",
            input.name
        ))
        .hint("get the image again, or name another one")),
        inner => Err(Error::image(format!(
            "{} holds a {} file instead of a disk image",
            input.name,
            inner.name()
        ))
        .hint("unpack it once, and name what comes out")),
    };
    let limit = listed.map_or(LIMIT, |size| size.min(LIMIT));
    let done = sparse::write(&mut reader, new.file(), limit, &mut check, progress);
    let size = done.map_err(|stop| match stop {
        Stop::Read(error) => read_error(input, error),
        Stop::Write(error) => {
            let more = size.map(|size| size.saturating_sub(written(new.file())));
            not_written(input, new, more, error)
        }
        Stop::TooLarge if limit < LIMIT => Error::image(format!(
            "{} decompresses to more than the {limit} bytes that the catalogue lists",
            input.name,
        ))
        .hint("the catalogue lists another image: get it again later, or name another one"),
        Stop::TooLarge => too_large(input),
        Stop::Refused(error) => error,
    })?;
    Ok(Written {
        size,
        digests: reader.hasher.map(Hasher::finish),
    })
}

/// Hashes what is read, where that is wanted.
struct Hashed<'a> {
    reader: &'a mut dyn Read,
    hasher: Option<Hasher>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The error for a source that cannot be decoded.
pub fn read_error(input: &Input, error: io::Error) -> Error {
    let (name, format) = (input.name, input.format.name());
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            return Error::image(format!(
                "{name} is truncated: its {format} data ends too early"
            ))
            .hint("get the image again");
        }
        io::ErrorKind::InvalidInput => {
            return Error::image(format!("{name}: {error}"))
                .hint("unpack it, and name the image that you want");
        }
        // What it holds is sound, and has to be unpacked by something that reads it.
        io::ErrorKind::Unsupported => {
            return Error::image(format!("{name}: {error}")).hint(
                "unpack it first, with `7z x` of the package 7zip or p7zip-full, and name the image \
                 that comes out",
            );
        }
        io::ErrorKind::OutOfMemory => {
            return Err::<(), _>(error)
                .context(Kind::Host, || format!("cannot decompress {name}"))
                .unwrap_err()
                .hint("use a machine with more memory, or unpack the image elsewhere first");
        }
        _ if error.raw_os_error().is_some() => format!("cannot read {name}"),
        _ => format!("{name} is not a usable {format} file"),
    };
    let failed: Result<()> = Err(error).context(Kind::Image, || what);
    failed
        .unwrap_err()
        .hint("get the image again, or name another one")
}

/// Reads a file from its start, without moving its offset, and hashes what goes by.
pub struct Bytes<'a> {
    file: &'a File,
    at: u64,
    side: Option<(Hasher, Rc<dyn Progress>)>,
}

impl<'a> Bytes<'a> {
    pub fn new(file: &'a File, side: Option<(Hasher, Rc<dyn Progress>)>) -> Self {
        Bytes { file, at: 0, side }
    }

    /// Reads what is left.
    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    fn finish(self) -> Digests {
        self.side
            .map(|(hasher, _)| hasher.finish())
            .unwrap_or_default()
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        if let Some((hasher, progress)) = &mut self.side {
            hasher.update(&buffer[..count]);
            progress.at(self.at);
        }
        Ok(count)
    }
}

/// Refuses to decode a source whose image has at least `size` bytes, where there is no room for so many.
///
/// # Errors
/// [`Kind::Host`], with the figures.
pub fn check_room(input: &Input, new: &NewFile, size: u64) -> Result<()> {
    match room::free(new.file()) {
        Some(free) if free < size => {
            let full = io::Error::from_raw_os_error(nix::libc::ENOSPC);
            Err(not_written(input, new, Some(size), full))
        }
        _ => Ok(()),
    }
}

/// The image cannot be written: maybe for lack of room, with `more` bytes to come.
fn not_written(input: &Input, new: &NewFile, more: Option<u64>, error: io::Error) -> Error {
    let full = sys::file::is_full(&error);
    let failed = Err::<(), _>(error).context(Kind::Host, || {
        format!("cannot write the image of {} to the cache", input.name)
    });
    match (full, failed.unwrap_err()) {
        (true, error) => error.better_hint(room::hint(new.file(), more, ELSEWHERE)),
        (false, error) => error,
    }
}
