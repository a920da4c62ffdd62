//! The plan of `pichroot images`.

use std::path::{Path, PathBuf};

use super::{read::read_config, source, surroundings::Surroundings};
use crate::{error::Result, image::catalogue::Catalogues};

/// What `pichroot images` is going to search.
#[derive(Debug)]
pub struct ImagesPlan {
    /// The lists.
    pub catalogues: Catalogues,
    /// The folder for what is kept between runs.
    pub cache: PathBuf,
}

impl ImagesPlan {
    /// Makes the plan from the lists that are given, and the configuration file, as [`CommandPlan`](super::CommandPlan) does.
    ///
    /// # Errors
    /// As [`CommandPlan`](super::CommandPlan).
    pub fn new(lists: &[String], config: Option<&Path>, around: &Surroundings) -> Result<Self> {
        let (file, folder) = read_config(config, &around.cwd)?;
        Ok(ImagesPlan {
            catalogues: source::catalogues(lists, (&file, &folder), around)?,
            cache: around.cache_dir()?,
        })
    }
}
