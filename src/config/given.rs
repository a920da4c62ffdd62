//! What a plan is made from, beside the configuration file.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::{
    choice::{Emulation, Network, OnError},
    data_dir,
};
use crate::{
    ansible::environment,
    error::{Context, Kind, Result},
};

/// What the command line says, not yet checked. No `Debug`: `extra_vars` may hold secrets.
#[derive(Default)]
pub struct Given {
    /// The playbook: a path or a name.
    pub playbook: PathBuf,
    /// `--image`.
    pub image: Option<String>,
    /// `--checksum`.
    pub checksum: Option<String>,
    /// `--output`.
    pub output: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Each `--extra-vars`.
    pub extra_vars: Vec<String>,
    /// Each `--var-file`.
    pub var_files: Vec<PathBuf>,
    /// Each `--secret`.
    pub secrets: Vec<String>,
    /// `--user`.
    pub user: Option<String>,
    /// Each `--inventory`.
    pub inventories: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// How many `-v`.
    pub verbosity: u8,
    /// Options of ansible-playbook's that pichroot knows, as ansible-playbook takes them.
    pub options: Vec<OsString>,
    /// What follows `--`.
    pub rest: Vec<OsString>,
    /// `--on-error`.
    pub on_error: Option<OnError>,
    /// `--emulation`.
    pub emulation: Option<Emulation>,
    /// `--network`.
    pub network: Option<Network>,
    /// `--force`.
    pub force: bool,
}

/// What a plan depends on beside arguments and files.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Where pichroot's own playbooks are ([`data_dir`]).
    pub data_dir: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn of_process() -> Result<Self> {
        let env = environment::of_process();
        let cwd = std::env::current_dir().context(Kind::Usage, || {
            "the working directory cannot be found".to_owned()
        })?;
        Ok(Surroundings {
            cwd,
            data_dir: data_dir::of_this_program(&env),
            env,
        })
    }

    /// The environment of this process, as far as it is UTF-8.
    pub fn utf8_environment() -> Vec<(String, String)> {
        let utf8 = |(key, value): (OsString, OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(utf8).collect()
    }

    /// `HOME`.
    pub(super) fn home(&self) -> Option<&Path> {
        self.env.get(OsStr::new("HOME")).map(Path::new)
    }
}
