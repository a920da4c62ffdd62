//! The machine that the image becomes, as far as tasks ask for it and have changed it.

use std::path::{Path, PathBuf};

use super::{firewall::Firewall, network::Network, record::Record};

/// What the tools share.
#[derive(Debug)]
pub struct Machine {
    /// Where the image's files are: `/` in the chroot, a folder in tests.
    pub root: PathBuf,
    /// Whether there may be a unit for the first boot. Where not, what would need it is refused.
    pub first_boot: bool,
    /// What was put off.
    pub record: Record,
    /// Its firewall.
    pub firewall: Firewall,
    /// Its network interfaces.
    pub network: Network,
}

impl Machine {
    /// The machine of the image below `root`, after a boot.
    pub fn new(root: &Path, first_boot: bool) -> Self {
        Machine {
            root: root.to_owned(),
            first_boot,
            record: Record::default(),
            firewall: Firewall::default(),
            network: Network::default(),
        }
    }

    /// Where the absolute `path` of the image is.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
