//! What a plan is made from, beside the configuration file.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::{
    choice::{Emulation, Executor, Network, OnError, Shortcut},
    data_dir,
};
use crate::{
    ansible::environment,
    error::{Context, Error, Kind, Result},
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
    /// `--executor`.
    pub executor: Option<Executor>,
    /// Each `--no-shortcut`.
    pub no_shortcuts: Vec<Shortcut>,
    /// `--force`.
    pub force: bool,
}

/// Where the connection plugin is in [`Surroundings::data_dir`].
const CONNECTION_PLUGINS: &str = "ansible_plugins/plugins/connection";

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

    /// The folder with our connection plugin.
    ///
    /// # Errors
    /// [`Kind::Host`] when it was not installed along.
    pub fn connection_plugins(&self) -> Result<PathBuf> {
        let folder = self.data_dir.as_deref().map(|d| d.join(CONNECTION_PLUGINS));
        folder
            .filter(|folder| folder.join("chroot.py").is_file())
            .ok_or_else(|| {
                Error::host("cannot find pichroot's connection plugin, chroot.py").hint(
                    "`make install` puts it below /usr/local/share/pichroot; PICHROOT_DATA_DIR can \
                     name another folder; --executor plain does without",
                )
            })
    }

    /// `HOME`.
    pub(super) fn home(&self) -> Option<&Path> {
        self.env.get(OsStr::new("HOME")).map(Path::new)
    }
}
