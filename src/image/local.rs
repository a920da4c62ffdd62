//! Fetches a source that is a file of this host.

use std::{
    fs::{File, TryLockError},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use nix::fcntl::OFlag;

use super::{
    cache::{BaseImage, Cache},
    decode::Format,
    digest::Digests,
    expected::Expected,
    fit, known,
    pass::{self, Input},
    record::{BaseRecord, FileId, PlaceRecord},
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    nearest,
    sys::in_use,
};

/// The base image for the file at `path`; a file that is not packed is its own base image.
pub fn fetch(
    cache: &Cache,
    path: &Path,
    expected: &Expected,
    report: &dyn Report,
) -> Result<BaseImage> {
    let name = path.display().to_string();
    let file = open(path)?;
    let input = Input {
        file: &file,
        name: &name,
        format: pass::detect(&file, &name)?,
    };
    let id = identity(&input)?;
    let known = || {
        let seen = cache
            .place(&id.place)
            .filter(|seen| seen.stamp == id.stamp)?;
        let given = expected.given.as_ref();
        let enough = given.is_none_or(|given| seen.digests.contains_key(&given.algorithm));
        enough.then_some(seen.digests)
    };
    if matches!(input.format, Format::Raw | Format::Tar) {
        // Held as long as the base image is. Where there are no locks, there are no others' either.
        if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
            return Err(Error::host(format!(
                "{name} is in use by another pichroot, which changes it"
            ))
            .hint("wait for it to end"));
        }
        if let Some(by) = writer(&file) {
            report.tell(Event::SourceInUse {
                source: name.clone(),
                by,
            });
        }
        if expected.is_something() {
            let digests = known().map_or_else(|| pass::digests(&input, expected, report), Ok)?;
            check_raw(&input, expected, &digests, Some(cache), report)?;
            note(cache, &input, &id, &digests)?;
        }
        return BaseImage::new(file, path.into())
            .context(Kind::Host, || format!("cannot read {}", path.display()));
    }
    let signed = |digests: &Digests| match &expected.proof {
        Some(proof) => proof.is_of(digests),
        None => true,
    };
    let cached = || match known().filter(signed) {
        Some(digests) => known::base(cache, &name, expected, &digests, report),
        None => Ok(None),
    };
    if let Some(base) = cached()? {
        return Ok(base);
    }
    let _one_at_a_time = cache.lock_fetch(&id.place, &name, report)?;
    // Another run may just have done it.
    if let Some(base) = cached()? {
        return Ok(base);
    }
    make_base(cache, &input, &id, expected, report)
}

/// Whether an image that is not packed is what is expected.
fn check_raw(
    input: &Input,
    expected: &Expected,
    digests: &Digests,
    cache: Option<&Cache>,
    report: &dyn Report,
) -> Result<()> {
    // As it is not packed, it is both.
    let image = || Ok(digests.clone());
    fit::check(input.name, expected, digests, image, report)?;
    match &expected.proof {
        Some(proof) if !proof.is_of(digests) => {
            proof.verify(input.file, input.name, report)?;
            if let Some(cache) = cache {
                proof.note(cache, digests);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Who else may be writing to `file`.
fn writer(file: &File) -> Option<String> {
    let devices = in_use::loop_devices(file).unwrap_or_default();
    let device = devices.iter().find(|device| !in_use::is_read_only(device));
    let locked = || in_use::is_locked(file).then(|| in_use::holder(file))?;
    device
        .map(|device| device.display().to_string())
        .or_else(locked)
}

/// Whether the file at `path` has a base image already, or none of it can be made.
pub fn at_hand(cache: &Cache, path: &Path) -> bool {
    let name = path.display().to_string();
    let packed = || {
        let file = open(path)?;
        let format = pass::detect(&file, &name)?;
        let input = Input {
            file: &file,
            name: &name,
            format,
        };
        Ok::<_, Error>((format, identity(&input)?))
    };
    // What is wrong with it is told at once.
    let Ok((format, id)) = packed() else {
        return true;
    };
    let seen = cache.place(&id.place).filter(|seen| seen.stamp == id.stamp);
    matches!(format, Format::Raw | Format::Tar)
        || seen.is_some_and(|seen| matches!(cache.base(&seen.digests), Ok(Some(_))))
}

/// Verifies an image that is to be changed where it is, so it must not be packed.
pub fn verify_in_place(path: &Path, expected: &Expected, report: &dyn Report) -> Result<()> {
    let (file, name) = (open(path)?, path.display().to_string());
    let format = pass::detect(&file, &name)?;
    if format != Format::Raw {
        return Err(Error::usage(format!(
            "{name} is a {} file, which cannot be changed in place",
            format.name()
        ))
        .hint("unpack it first, or leave out --write"));
    }
    let input = Input {
        file: &file,
        name: &name,
        format,
    };
    if !expected.is_something() {
        return Ok(());
    }
    let digests = pass::digests(&input, expected, report)?;
    check_raw(&input, expected, &digests, None, report)
}

/// Decodes the source into the cache, unless its content proves to be there under another name.
fn make_base(
    cache: &Cache,
    input: &Input,
    id: &FileId,
    expected: &Expected,
    report: &dyn Report,
) -> Result<BaseImage> {
    let source_size = input.file.metadata().map_or(0, |meta| meta.len());
    let _same_content = expected
        .digest()
        .map(|digest| cache.lock_fetch(&digest.to_string(), input.name, report))
        .transpose()?;
    if let Some(proof) = &expected.proof {
        proof.verify(input.file, input.name, report)?;
    }
    if cache
        .bases()
        .iter()
        .any(|base| base.source_size == source_size)
    {
        let digests = pass::digests(input, expected, report)?;
        if let Some(base) = known::base(cache, input.name, expected, &digests, report)? {
            note(cache, input, id, &digests)?;
            note_signed(cache, expected, &digests);
            return Ok(base);
        }
    }
    let new = cache.new_base()?;
    // What is packed is no smaller when it is unpacked.
    pass::check_room(input, &new, source_size)?;
    let decoded = pass::decode(input, &new, expected, report)?;
    note(cache, input, id, &decoded.digests)?;
    note_signed(cache, expected, &decoded.digests);
    cache.insert(new, BaseRecord::now(input.name, decoded, source_size))
}

fn note_signed(cache: &Cache, expected: &Expected, digests: &Digests) {
    if let Some(proof) = &expected.proof {
        proof.note(cache, digests);
    }
}

/// Notes the digests of the file, which must not have changed while they were computed.
fn note(cache: &Cache, input: &Input, id: &FileId, digests: &Digests) -> Result<()> {
    if identity(input)? != *id {
        return Err(
            Error::image(format!("{} changed while it was read", input.name))
                .hint("wait until it is complete"),
        );
    }
    if id.is_settled() {
        let stamp = id.stamp.clone();
        let seen = PlaceRecord {
            stamp,
            digests: digests.clone(),
            ..PlaceRecord::default()
        };
        cache.set_place(&id.place, &seen);
    }
    Ok(())
}

fn identity(input: &Input) -> Result<FileId> {
    let meta = input.file.metadata();
    Ok(FileId::of(&meta.context(Kind::Host, || {
        format!("cannot read {}", input.name)
    })?))
}

/// Opens a regular file that is not empty.
pub fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    // Without waiting, should it be a fifo.
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .context(Kind::Usage, || format!("cannot open the image {shown}"))
        .map_err(|error| {
            error.hint(nearest::hint(
                path,
                "check the path; a relative one starts at the working directory",
            ))
        })?;
    let meta = file
        .metadata()
        .context(Kind::Host, || format!("cannot read {shown}"))?;
    if meta.file_type().is_block_device() {
        return Err(
            Error::usage(format!("{shown} is a disk device, not an image file")).hint(format!(
                "copy it to a file first: dd if={shown} of=card.img bs=4M"
            )),
        );
    }
    if meta.is_dir() {
        return Err(
            Error::usage(format!("{shown} is a folder, not an image file"))
                .hint("name a disk image in it"),
        );
    }
    if !meta.is_file() {
        return Err(Error::usage(format!("{shown} is not an image file")).hint("name a disk image"));
    }
    if meta.len() == 0 {
        return Err(Error::image(format!("{shown} is empty")).hint("get the image again"));
    }
    Ok(file)
}
