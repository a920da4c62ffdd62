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
    ansible::{bundle, environment},
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

/// What a plan depends on beside arguments and files.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The folder that is used in place of the bundle.
    pub data_dir: Option<PathBuf>,
    /// Where a virtual environment with Ansible may be.
    pub venv: Option<PathBuf>,
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
        let data_dir = data_dir::given(&env);
        Ok(Surroundings {
            cwd,
            venv: data_dir::venv(data_dir.as_deref()),
            data_dir,
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

    /// Where playbooks and the connection plugin are, in a run with this folder of its own.
    pub fn bundle(&self, run_folder: &Path) -> PathBuf {
        let data_dir = self.data_dir.clone();
        data_dir.unwrap_or_else(|| run_folder.join(bundle::FOLDER))
    }

    /// Checks that there is a connection plugin.
    ///
    /// # Errors
    /// [`Kind::Host`] when it is not in the folder that is used in place of the bundle.
    pub fn has_connection_plugin(&self) -> Result<()> {
        let Some(folder) = &self.data_dir else {
            return Ok(());
        };
        let plugin = folder.join(bundle::CONNECTION_PLUGINS).join("chroot.py");
        if plugin.is_file() {
            return Ok(());
        }
        Err(Error::host(format!(
            "there is no connection plugin {}",
            plugin.display()
        ))
        .hint(
            "PICHROOT_DATA_DIR has to name a folder with pichroot's ansible_plugins/ in it; without the variable \
             pichroot uses the plugin that it carries",
        ))
    }

    /// `HOME`.
    pub(super) fn home(&self) -> Option<&Path> {
        self.env.get(OsStr::new("HOME")).map(Path::new)
    }
}
