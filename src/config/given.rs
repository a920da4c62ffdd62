//! What the command line says, not yet checked.

use std::{ffi::OsString, path::PathBuf};

use super::choice::{Beside, Emulation, Executor, FirstBoot, Live, Network, OnError, Shortcut};

/// What it says of an image and how its programs are run, for every subcommand that opens one.
#[derive(Debug, Default)]
pub struct GivenImage {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--checksum`.
    pub checksum: Option<String>,
    /// `--keyring`.
    pub keyring: Option<PathBuf>,
    /// `--signature`.
    pub signature: Option<String>,
    /// Each `--catalogue`.
    pub catalogues: Vec<String>,
    /// `--emulation`.
    pub emulation: Option<Emulation>,
    /// `--network`.
    pub network: Option<Network>,
    /// `--live`.
    pub live: Option<Live>,
    /// `--first-boot`.
    pub first_boot: Option<FirstBoot>,
    /// Each `--no-shortcut`.
    pub no_shortcuts: Vec<Shortcut>,
}

/// What it says to `pichroot ansible`. No `Debug`: `extra_vars` may hold secrets.
#[derive(Default)]
pub struct Given {
    /// The playbook: a path or a name.
    pub playbook: PathBuf,
    /// `--image`.
    pub source: Option<String>,
    /// What is said of the image.
    pub image: GivenImage,
    /// `--grow`.
    pub grow: Option<String>,
    /// Each `--output`.
    pub outputs: Vec<PathBuf>,
    /// `--shrink`, with its margin.
    pub shrink: Option<String>,
    /// Each `--with`.
    pub beside: Vec<Beside>,
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
    /// `--resume`.
    pub resume: bool,
    /// `--executor`.
    pub executor: Option<Executor>,
    /// `--publish`.
    pub publish: bool,
    /// `--force`.
    pub force: bool,
    /// `--allow-unchanged`.
    pub allow_unchanged: bool,
}
