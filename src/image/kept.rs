//! The image of a run that failed, kept beside the output, and what is known of that run.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};

/// The name of a kept image: the output's with `.failed` behind it.
pub fn name(output: &Path) -> PathBuf {
    with(output, ".failed")
}

/// What is known of the run that failed; as JSON beside the kept image.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The playbook, as the run found it.
    pub playbook: String,
    /// The task to go on with; `None` is the beginning.
    pub start_at_task: Option<String>,
    /// How large the image was before it was grown, in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

impl Record {
    /// Removes that of an older kept image of `output`.
    pub fn remove(output: &Path) {
        let _ = fs::remove_file(with(output, ".failed.json"));
    }

    /// Writes it for the kept image of `output`; an older one has been removed.
    ///
    /// # Errors
    /// [`Kind::Host`], with the path.
    pub fn write(&self, output: &Path, owner: Option<(u32, u32)>) -> Result<()> {
        let path = with(output, ".failed.json");
        let failed = || format!("cannot write {}", path.display());
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .context(Kind::Host, failed)?;
        if let Some((user, group)) = owner {
            fchown(&file, Some(user), Some(group)).context(Kind::Host, failed)?;
        }
        let mut text = serde_json::to_vec(self).expect("it has texts only");
        text.push(b'\n');
        file.write_all(&text).context(Kind::Host, failed)
    }

    /// Reads that of the kept image of `output`.
    ///
    /// # Errors
    /// [`Kind::Usage`] where there is no kept image, or its record cannot be read.
    pub fn read(output: &Path) -> Result<Self> {
        let hint = "run it without --resume, from the beginning; --on-error keep keeps the image of a run that fails";
        let image = name(output);
        if !image.is_file() {
            let what = format!("there is no {} to go on from", image.display());
            return Err(Error::usage(what).hint(hint));
        }
        let path = with(output, ".failed.json");
        let failed = || format!("cannot read {}", path.display());
        let text = fs::read_to_string(&path).context(Kind::Usage, failed);
        let record = text.and_then(|text| serde_json::from_str(&text).context(Kind::Usage, failed));
        record.map_err(|error| error.hint(hint))
    }
}

/// Removes the kept image of `output`, which has become that, and its record.
pub fn remove(output: &Path) {
    Record::remove(output);
    // Who has removed it already has done the same.
    let _ = fs::remove_file(name(output));
}

fn with(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
