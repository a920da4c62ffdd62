//! What is asked for.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::text;
use crate::{
    config::hcl,
    error::{Error, Result},
};

/// An error in a template, with its line.
pub type Wrong = (usize, String);

/// What is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The template.
    pub template: PathBuf,
    /// Files with values of variables.
    pub var_files: Vec<PathBuf>,
    /// Values of variables, which win over those of the files.
    pub variables: Vec<(String, String)>,
    /// The folder that the files are for.
    pub folder: PathBuf,
    /// The working directory, from which Packer finds files.
    pub cwd: PathBuf,
}

/// The value of a variable.
#[derive(Debug)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Whether it is in a file.
    pub in_file: bool,
}

impl Wanted {
    /// The folder that the template is in.
    pub fn beside(&self) -> &Path {
        let path = &self.template;
        match path.is_dir() {
            true => path,
            false => path.parent().unwrap_or(path),
        }
    }

    /// The values of variables, the last of which counts.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] where a file cannot be read.
    pub fn given(&self) -> Result<Vec<Given>> {
        let mut given = Vec::new();
        for path in &self.var_files {
            let values = values(path)?.into_iter();
            given.extend(values.map(|(name, value)| Given {
                name,
                value,
                in_file: true,
            }));
        }
        given.extend(self.variables.iter().map(|(name, value)| Given {
            name: name.clone(),
            value: value.as_str().into(),
            in_file: false,
        }));
        Ok(given)
    }
}

impl Given {
    /// Without such a variable, as Packer has it: a file may be for several templates.
    ///
    /// # Errors
    /// Where the option names it.
    pub fn unknown(&self) -> Result<(), Wrong> {
        match self.in_file {
            true => Ok(()),
            false => Err((
                0,
                format!("there is no variable {}, which --var sets", self.name),
            )),
        }
    }
}

/// What a file of variables holds, by its ending.
fn values(path: &Path) -> Result<serde_json::Map<String, Value>> {
    let hint = "name a file as packer build -var-file has it: NAME.pkrvars.hcl or NAME.json";
    let text = text::bounded(path).map_err(|error| error.hint(hint))?;
    if path.extension().is_some_and(|end| end == "hcl") {
        return hcl::parse(&text, path);
    }
    serde_json::from_str(&text).map_err(|error| {
        let place = format!("{}:{}", path.display(), error.line());
        Error::usage(format!("{place}: this is no file of variables")).hint(hint)
    })
}
