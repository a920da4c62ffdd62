//! What an image begins as and what becomes of it: the parts of the plan with sizes, outputs and dates.

use std::path::PathBuf;

use super::{
    file::{self, File},
    given::Given,
    surroundings::Surroundings,
};
use crate::{
    error::{Error, Result},
    finish::{output::Output, plan::Finish},
    shape::{new, shrink},
    sys::room,
};

/// What becomes of the work image; where no output is given, `configured` has their paths.
pub(super) fn plan(
    given: &mut Given,
    file: &file::Finish,
    around: &Surroundings,
    configured: impl FnOnce() -> Result<Vec<PathBuf>>,
) -> Result<Finish> {
    let paths = match given.outputs.is_empty() {
        true => configured()?,
        false => given
            .outputs
            .iter()
            .map(|path| around.cwd.join(path))
            .collect(),
    };
    let outputs = paths.iter().map(|path| Output::new(path));
    Ok(Finish {
        outputs: outputs.collect::<Result<_>>()?,
        shrink: shrink(given.shrink.as_deref(), file.shrink.as_ref())?,
        beside: match given.beside.is_empty() {
            true => file.with.clone(),
            false => std::mem::take(&mut given.beside),
        },
        entry: file.imager.clone(),
        epoch: epoch(around)?,
    })
}

/// The image that is made of an archive, with nothing said beside it that it decides itself.
pub(super) fn new_image(declared: &new::Declared, file: &File, grow: bool) -> Result<new::Plan> {
    for (there, what) in [
        (file.image.layout.is_some(), "image.layout"),
        (grow || file.image.grow.is_some(), "grow"),
    ] {
        if there {
            return Err(
                Error::usage(format!("{what} is there beside image.new")).hint(
                    "leave it out: image.new says how large everything is, and where it is mounted",
                ),
            );
        }
    }
    new::Plan::new(declared)
}

/// How many bytes stay free in an image that is made small, if it is.
fn shrink(given: Option<&str>, configured: Option<&file::Shrink>) -> Result<Option<u64>> {
    let margin = match (given, configured) {
        (Some(text), _) => text,
        (None, Some(file::Shrink::Margin(text))) => text,
        (None, Some(file::Shrink::Wanted(true))) => return Ok(Some(shrink::MARGIN)),
        (None, _) => return Ok(None),
    };
    let bytes = if margin == "0" {
        Some(0)
    } else {
        room::parse(margin)
    };
    bytes.map(Some).ok_or_else(|| {
        Error::usage(format!("shrink: {margin} is not a size"))
            .hint("write what is to stay free in the file system, such as 200M, or 0")
    })
}

/// What <https://reproducible-builds.org/specs/source-date-epoch/> says of time.
fn epoch(around: &Surroundings) -> Result<Option<u64>> {
    let name = "SOURCE_DATE_EPOCH";
    let parsed = around.text(name).map(|text| (text, text.parse()));
    match parsed {
        None => Ok(None),
        Some((_, Ok(seconds))) => Ok(Some(seconds)),
        Some((text, Err(_))) => Err(Error::usage(format!("{name} is {text}, which is no time"))
            .hint("set it to seconds since 1970, such as `date +%s` prints, or unset it")),
    }
}
