//! The machine that the image becomes, as far as tasks ask for it and have changed it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{
    call::Answer,
    firewall::Firewall,
    first_boot::possible,
    kernel::{Shared, changes::Changes},
    mounted::MountedByTasks,
    network::Network,
    openrc::Services,
    record::{How, Record},
    units::Units,
};

/// What the tools share.
#[derive(Debug)]
pub struct Machine {
    /// Where the image's files are: `/` in the chroot, a folder in tests.
    pub root: PathBuf,
    /// Whether there may be a unit for the first boot. Where not, what would need it is refused.
    pub first_boot: bool,
    /// What was put off.
    pub record: Record,
    /// The kernel that programs see.
    pub kernel: Shared,
    /// What tasks have changed of it.
    pub changes: Changes,
    /// What the kernel's own file says, once somebody has asked.
    pub banner: OnceLock<Option<String>>,
    /// Its firewall.
    pub firewall: Firewall,
    /// Its network interfaces.
    pub network: Network,
    /// What tasks have mounted.
    pub mounted: MountedByTasks,
    /// What runs, if it has systemd.
    pub units: Units,
    /// What runs, if it has OpenRC.
    pub services: Services,
}

impl Machine {
    /// The machine of the image below `root`, after a boot.
    pub fn new(root: &Path, first_boot: bool) -> Self {
        Self::with_kernel(root, first_boot, Shared::boot(root, None))
    }

    /// The same, with this kernel.
    pub fn with_kernel(root: &Path, first_boot: bool, kernel: Shared) -> Self {
        Machine {
            root: root.to_owned(),
            first_boot,
            record: Record::default(),
            kernel,
            changes: Changes::default(),
            banner: OnceLock::new(),
            firewall: Firewall::default(),
            network: Network::default(),
            mounted: MountedByTasks::default(),
            units: Units::default(),
            services: Services::default(),
        }
    }

    /// Puts `what` off to the unit of the first boot, which runs `lines`. Refused where there can be none.
    pub fn put_off_to_unit(&mut self, what: &str, lines: String) -> Answer {
        if let Some((why, hint)) = possible::why_not(self.first_boot, &self.root) {
            let what = format!("`{what}` needs a unit for the first boot, and {why}");
            return Answer::refused(&what, hint);
        }
        self.record.put_off(what, How::Unit(lines));
        Answer::ok()
    }

    /// Where the absolute `path` of the image is.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
