//! Files that programs expect of any machine, and that neither this host's kernel nor the image has: shown to what qemu runs.
//!
//! qemu looks for each file that a program opens in a folder of its own first (`-L`). What is there is a file of ours, and
//! the folders above it are none ([`serve`](super::serve)): else a program would find it to be all that is in /proc. Twins
//! do not see it: so what names such a file in its arguments runs without one (`twins/dispatcher/program/lacking.rs`).

use std::{collections::BTreeMap, path::Path};

use super::catalogue::has_kernel;
use crate::{sys::inroot::Root, twins::dispatcher::format::LACKING};

/// Where qemu looks first, in the chroot's own memory.
pub const PREFIX: &str = match LACKING.to_str() {
    Ok(path) => path,
    Err(_) => panic!("not a text"),
};

/// Where kernels with a device tree have a link, and where that leads.
const DEVICE_TREE: &str = "/proc/device-tree";
const TREE: &str = "/sys/firmware/devicetree/base";

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// The modules that are loaded.
    Modules,
    /// It is no file but a link to this.
    Link(&'static str),
}

/// The files, by their paths below the prefix.
#[derive(Debug, Default)]
pub struct Lacking(BTreeMap<String, Content>);

impl Lacking {
    /// What is lacking for programs of the image at `root`, to which its kernel's release is this.
    pub fn of(root: &Root, release: &str) -> Self {
        let mut files = BTreeMap::new();
        // A host whose kernel has no modules has no such file.
        if !Path::new("/proc/modules").exists() {
            files.insert("proc/modules".to_owned(), Content::Modules);
        }
        // Tasks look up in it whether a module has to be loaded at all.
        if !has_kernel(root) {
            files.insert(
                format!("lib/modules/{release}/modules.builtin"),
                Content::Empty,
            );
        }
        Lacking(files)
    }

    /// The machine is a board, and tells its devices.
    pub fn add_device_tree(&mut self) {
        // Where the kernel has it, it is the same link.
        if !Path::new(DEVICE_TREE).is_symlink() {
            self.0
                .insert(DEVICE_TREE[1..].to_owned(), Content::Link(TREE));
        }
    }

    /// The file at this path.
    pub fn get(&self, path: &str) -> Option<Content> {
        self.0.get(path).copied()
    }

    /// Whether this is a folder with one in it.
    pub fn has_folder(&self, path: &str) -> bool {
        let below = |file: &String| {
            file.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        path.is_empty() || self.0.keys().any(below)
    }

    /// What is in this folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let files = self.0.keys().filter_map(|file| match folder {
            "" => Some(file.as_str()),
            _ => file.strip_prefix(folder)?.strip_prefix('/'),
        });
        let first = files.filter_map(|rest| rest.split('/').next());
        first.map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lacking_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let file = "lib/modules/6.1.0/modules.builtin";
        let lacking = Lacking::of(&root, "6.1.0");
        assert_eq!(lacking.get(file), Some(Content::Empty));
        assert!(lacking.has_folder("lib/modules") && !lacking.has_folder("lib/mod"));
        assert_eq!(lacking.names("lib"), ["modules"]);
        let has_modules = Path::new("/proc/modules").exists();
        assert_eq!(lacking.get("proc/modules").is_none(), has_modules);
        super::super::catalogue::tests::kernel(dir.path(), "6.1.0");
        let mut lacking = Lacking::of(&root, "6.1.0");
        assert_eq!(lacking.get(file), None);
        lacking.add_device_tree();
        let link = lacking.get("proc/device-tree");
        assert_eq!(link.is_none(), Path::new(DEVICE_TREE).is_symlink());
    }
}
