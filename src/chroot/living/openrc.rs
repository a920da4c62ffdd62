//! Services of an image that has OpenRC: what its runlevels start, and what tasks have started and stopped since.

use std::collections::BTreeMap;

use crate::sys::inroot::Root;

const SCRIPTS: &str = "/etc/init.d";
/// The runlevels that a boot goes through.
const LEVELS: [&str; 3] = ["sysinit", "boot", "default"];
/// What OpenRC itself is started by.
const PROGRAM: &str = "/sbin/openrc";

/// What differs from after a boot.
#[derive(Debug, Default)]
pub struct Services {
    changed: BTreeMap<String, bool>,
}

/// Whether the image has OpenRC.
pub fn is_there(root: &Root) -> bool {
    root.is_file(PROGRAM.as_ref())
}

/// Whether there is such a service.
pub fn exists(root: &Root, name: &str) -> bool {
    !name.contains('/') && root.is_file(format!("{SCRIPTS}/{name}").as_ref())
}

/// Whether a boot starts it.
pub fn boots(root: &Root, name: &str) -> bool {
    let path = |level| format!("/etc/runlevels/{level}/{name}");
    !name.contains('/')
        && LEVELS
            .iter()
            .any(|level| root.is_file(path(level).as_ref()))
}

impl Services {
    /// Whether it runs.
    pub fn runs(&self, root: &Root, name: &str) -> bool {
        let changed = self.changed.get(name).copied();
        exists(root, name) && changed.unwrap_or_else(|| boots(root, name))
    }

    /// Starts or stops it.
    pub fn set(&mut self, name: &str, runs: bool) {
        self.changed.insert(name.to_owned(), runs);
    }
}
