//! The plan of `pichroot flash`.

use std::path::PathBuf;

use super::surroundings::Surroundings;
use crate::{error::Result, finish::flash::Flash};

/// What the command line says to `pichroot flash`.
#[derive(Debug, Default)]
pub struct GivenFlash {
    /// The image.
    pub image: PathBuf,
    /// The disk.
    pub device: PathBuf,
    /// `--bmap`.
    pub bmap: Option<PathBuf>,
    /// `--force`.
    pub force: bool,
    /// `--yes`.
    pub yes: bool,
}

/// What `pichroot flash` is going to do.
pub struct FlashPlan {
    /// What is written where.
    pub flash: Flash,
    /// Whether nobody is asked.
    pub yes: bool,
}

impl FlashPlan {
    /// Makes the plan, with everything looked at that can be.
    ///
    /// # Errors
    /// As [`Flash::plan`].
    pub fn new(given: &GivenFlash, around: &Surroundings) -> Result<Self> {
        let cwd = &around.cwd;
        let bmap = given.bmap.as_ref().map(|path| cwd.join(path));
        let (image, device) = (cwd.join(&given.image), cwd.join(&given.device));
        Ok(FlashPlan {
            flash: Flash::plan(&image, bmap.as_deref(), &device, given.force)?,
            yes: given.yes,
        })
    }
}
