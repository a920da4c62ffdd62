//! What is asked for.

use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The template.
    pub template: PathBuf,
    /// Values of variables.
    pub variables: Vec<(String, String)>,
    /// The folder that the files are for.
    pub folder: PathBuf,
    /// The working directory, from which Packer finds files.
    pub cwd: PathBuf,
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
}
