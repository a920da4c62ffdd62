//! The plan of `pichroot publish`, and of `--publish`.

use std::path::{Path, PathBuf};

use super::{
    extra_vars,
    file::File,
    given::GivenImage,
    image::{ImagePlan, Machine},
    known::Known,
    locations, machine, names,
    read::read_config,
    source,
    surroundings::Surroundings,
    targets::{GivenTargets, Targets},
};
use crate::error::{Error, Result};

/// What the command line says to `pichroot publish`. No `Debug`: `extra_vars` may hold secrets.
#[derive(Default)]
pub struct GivenPublish {
    /// The image.
    pub source: Option<String>,
    /// What is said of it.
    pub image: GivenImage,
    /// Where it goes.
    pub to: GivenTargets,
    /// Each `--extra-vars`.
    pub extra_vars: Vec<String>,
    /// Each `--var-file`.
    pub var_files: Vec<PathBuf>,
    /// Each `--inventory`.
    pub inventories: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--check`.
    pub check: bool,
    /// `--rollback`.
    pub roll_back: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Publish, if the checks pass.
    Publish,
    /// Make the checks only.
    Check,
    /// Serve the generation before again.
    RollBack,
}

/// What `pichroot publish` is going to do; all paths are absolute.
#[derive(Debug)]
pub struct PublishPlan {
    /// What of it.
    pub action: Action,
    /// The image; `None` where none is looked at.
    pub image: Option<ImagePlan>,
    /// Where it goes, and for which machine.
    pub targets: Targets,
}

impl PublishPlan {
    /// Makes the plan from the command line and the configuration file, as [`super::AnsiblePlan::new`] does.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] for whatever is wrong, with its path or name and a hint.
    pub fn new(given: GivenPublish, around: &Surroundings) -> Result<Self> {
        let (file, folder) = read_config(given.image.config.as_deref(), &around.cwd)?;
        let mut extra = Vec::new();
        for path in &given.var_files {
            extra.push(extra_vars::file(path, &around.cwd)?);
        }
        for text in &given.extra_vars {
            extra.push(extra_vars::option(text, &around.cwd)?);
        }
        let asked = machine::Asked {
            inventories: &given.inventories,
            limit: given.limit.as_deref(),
        };
        let (known, name) = machine::find(&asked, (&file, &folder), &extra, around)?;
        let name = name.ok_or_else(machine::unnamed)?;
        let targets = Targets::new(&given.to, (&file, &folder), &known, &name, around)?;
        let action = match (given.check, given.roll_back) {
            (_, true) => Action::RollBack,
            (true, false) => Action::Check,
            (false, false) => Action::Publish,
        };
        let image = match action {
            Action::RollBack => None,
            _ => Some(image(&given, (&file, &folder), &known, &name, around)?),
        };
        Ok(PublishPlan {
            action,
            image,
            targets,
        })
    }
}

/// The image that is given, else the first output of the configuration file that is one.
fn image(
    given: &GivenPublish,
    (file, folder): (&File, &Path),
    known: &Known,
    name: &str,
    around: &Surroundings,
) -> Result<ImagePlan> {
    let home = around.home();
    let source = match &given.source {
        Some(source) => source.clone(),
        None => {
            let is_image = |path: &&String| !path.ends_with('/') && !path.contains(".tar");
            let template = file.image.output.all().iter().find(is_image);
            let path = match template {
                Some(template) => names::expand("image.output", template, known, Some(name))?,
                None => names::default_output(Some(name), Path::new(""))
                    .display()
                    .to_string(),
            };
            let path = locations::absolute(&path, folder, home);
            if !path.exists() {
                return Err(Error::usage(format!("there is no image {}", path.display())).hint(
                    "make it by `pichroot ansible`, or name another one: pichroot publish IMAGE",
                ));
            }
            path.display().to_string()
        }
    };
    let source = source::source(Some(&source), &given.image, (file, folder), around)?;
    let machine = Machine::new(name, known)?;
    ImagePlan::new(source, machine, &given.image, file, around)
}
