//! What the stage and the process that looks for twins tell each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{emulation::arch::Arch, event::Event};

/// What the process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Where to put what it finds.
    pub folder: PathBuf,
    /// The stage's directory, for files that are gone with it.
    pub scratch: PathBuf,
    /// The image's root.
    pub root: PathBuf,
    /// What the image is for.
    pub image: Arch,
    /// The release of the kernel that its programs see, if it is the image's.
    pub kernel: Option<String>,
    /// Its cache, and whether to use the network.
    pub settings: TwinSettings,
}

/// Where twins come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TwinSettings {
    /// The folder for what is fetched, and what is known of it.
    pub cache: PathBuf,
    /// Whether packages may be fetched.
    pub fetch: bool,
    /// The environment for the programs that fetch: the host's proxies.
    pub environment: Vec<(String, String)>,
}

/// What the process tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Something happened.
    Told(Event),
    /// What there is to find is in place: so many programs.
    Settled(usize),
}
