//! The kernel as files: `sys`, `modules`, `swaps`, `filesystems`, `module` and `lacking`, by their paths.

use std::collections::BTreeMap;

use nix::errno::Errno;

use super::{Kernel, lacking::Content};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file with these permissions.
    File(u16),
    /// A link to this.
    Link(&'static str),
}

/// The folder of files that are lacking.
pub const LACKING: &str = "lacking";

/// What Debian's kernels have, with the modules of the file systems that a Pi boots from.
const FILE_SYSTEMS: &str = "nodev\tsysfs
nodev\ttmpfs
nodev\tproc
nodev\tcgroup
nodev\tcgroup2
nodev\tdevtmpfs
nodev\tconfigfs
nodev\tdebugfs
nodev\ttracefs
nodev\tsecurityfs
nodev\tsockfs
nodev\tbpf
nodev\tpipefs
nodev\tramfs
nodev\thugetlbfs
nodev\tdevpts
\tfuseblk
nodev\tfuse
nodev\tfusectl
nodev\tmqueue
nodev\tpstore
\text3
\text2
\text4
\tvfat
nodev\tautofs
nodev\tbinfmt_misc
";

const TOP: [(&str, Node); 6] = [
    ("filesystems", Node::File(0o444)),
    (LACKING, Node::Folder),
    ("module", Node::Folder),
    ("modules", Node::File(0o444)),
    ("swaps", Node::File(0o444)),
    ("sys", Node::Folder),
];

impl Kernel {
    /// What there is at `path`; the top's is empty.
    pub fn node(&self, path: &str) -> Option<Node> {
        if let Some(path) = below(path, "sys") {
            return match self.sysctl.get(path) {
                Some(value) => Some(Node::File(value.mode)),
                None => self.sysctl.has_folder(path).then_some(Node::Folder),
            };
        }
        if let Some(path) = below(path, "module") {
            return self.module_node(path);
        }
        if let Some(path) = below(path, LACKING) {
            return match self.lacking.get(path) {
                Some(Content::Link(to)) => Some(Node::Link(to)),
                Some(_) => Some(Node::File(0o444)),
                None => self.lacking.has_folder(path).then_some(Node::Folder),
            };
        }
        let top = TOP.iter().find(|(name, _)| *name == path);
        match path {
            "" => Some(Node::Folder),
            _ => top.map(|(_, node)| *node),
        }
    }

    fn module_node(&self, path: &str) -> Option<Node> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let Some(module) = parts.next() else {
            return Some(Node::Folder);
        };
        let attributes = self.modules.attributes(module)?;
        match (parts.next(), parts.next(), parts.next()) {
            (None, ..) | (Some("holders"), None, _) => Some(Node::Folder),
            (Some("holders"), Some(user), None) => {
                let is_user = self.modules.users(module).iter().any(|other| other == user);
                is_user.then_some(Node::Folder)
            }
            (Some(name), None, _) => attributes.contains_key(name).then_some(Node::File(0o444)),
            _ => None,
        }
    }

    /// What is in the folder at `path`.
    ///
    /// # Errors
    /// Where there is no such folder.
    pub fn names(&self, path: &str) -> Result<BTreeMap<String, Node>, Errno> {
        if let Some(path) = below(path, "sys") {
            let names = self.sysctl.names(path).ok_or(Errno::ENOENT)?;
            let node = |mode: Option<u16>| mode.map_or(Node::Folder, Node::File);
            return Ok(names
                .into_iter()
                .map(|(name, mode)| (name, node(mode)))
                .collect());
        }
        if let Some(folder) = below(path, LACKING) {
            let names = self.lacking.names(folder).into_iter();
            let found = names.filter_map(|name| {
                let node = self.node(&format!("{path}/{name}"))?;
                Some((name, node))
            });
            return Ok(found.collect());
        }
        let Some(module) = below(path, "module") else {
            let top = TOP.iter().filter(|_| path.is_empty());
            return Ok(top.map(|(name, node)| (name.to_string(), *node)).collect());
        };
        let names = match module.split_once('/') {
            None if module.is_empty() => self.modules.names().collect(),
            None => {
                let attributes = self.modules.attributes(module).ok_or(Errno::ENOENT)?;
                attributes.into_keys().chain(["holders"]).collect()
            }
            Some((module, "holders")) => self
                .modules
                .users(module)
                .iter()
                .map(String::as_str)
                .collect(),
            Some(_) => Vec::new(),
        };
        let found = names.into_iter().filter_map(|name| {
            let node = self.node(&format!("{path}/{name}"))?;
            Some((name.to_owned(), node))
        });
        Ok(found.collect())
    }

    /// What is in the file at `path`.
    ///
    /// # Errors
    /// As the kernel's.
    pub fn read(&self, path: &str) -> Result<String, Errno> {
        if let Some(path) = below(path, "sys") {
            return self.sysctl.read(path);
        }
        if let Some(path) = below(path, "module") {
            let (module, name) = path.split_once('/').ok_or(Errno::EISDIR)?;
            let mut attributes = self.modules.attributes(module).ok_or(Errno::ENOENT)?;
            return attributes.remove(name).ok_or(Errno::ENOENT);
        }
        if let Some(path) = below(path, LACKING) {
            return match self.lacking.get(path).ok_or(Errno::ENOENT)? {
                Content::Empty => Ok(String::new()),
                Content::Modules => Ok(self.modules.listed()),
                Content::Link(_) => Err(Errno::EINVAL),
            };
        }
        match path {
            "filesystems" => Ok(FILE_SYSTEMS.to_owned()),
            "modules" => Ok(self.modules.listed()),
            "swaps" => Ok(self.swaps.listed()),
            _ => Err(Errno::ENOENT),
        }
    }

    /// Writes to the file at `path`, for this task.
    ///
    /// # Errors
    /// As the kernel's.
    pub fn write(&mut self, path: &str, text: &[u8], task: Option<String>) -> Result<(), Errno> {
        match below(path, "sys") {
            Some(path) => self.sysctl.write(path, text, task),
            None => Err(Errno::EACCES),
        }
    }
}

/// The rest of a path that is this folder or in it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    match path.strip_prefix(folder)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::Shared, *};

    #[test]
    fn the_kernel_is_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/modules-load.d")).unwrap();
        fs::write(
            dir.path().join("etc/modules-load.d/x.conf"),
            "br_netfilter\n",
        )
        .unwrap();
        fs::create_dir_all(dir.path().join("usr/lib/sysctl.d")).unwrap();
        let text = "kernel.pid_max=4194304\nkernel.of_this_system = 1\n-kernel.maybe=1\nnet.bridge.bridge-nf-call-iptables=0\n";
        fs::write(dir.path().join("usr/lib/sysctl.d/50-x.conf"), text).unwrap();
        let shared = Shared::boot(dir.path(), None);
        let mut kernel = shared.lock();
        for (path, expected) in [
            ("sys/kernel/pid_max", "4194304\n"),
            ("sys/kernel/of_this_system", "1\n"),
            ("sys/net/bridge/bridge-nf-call-iptables", "0\n"),
            ("module/br_netfilter/initstate", "live\n"),
            (
                "modules",
                "br_netfilter 16384 0 - Live 0x0000000000000000\n",
            ),
        ] {
            assert_eq!(kernel.read(path).as_deref(), Ok(expected), "{path}");
        }
        assert_eq!(kernel.read("sys/kernel/maybe"), Err(Errno::ENOENT));
        assert_eq!(kernel.write("modules", b"x", None), Err(Errno::EACCES));
        kernel.write("sys/vm/swappiness", b"1\n", None).unwrap();
        assert_eq!(kernel.read("sys/vm/swappiness").as_deref(), Ok("1\n"));
        // What is listed is there, and nothing else.
        let mut folders = vec![String::new()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for (name, node) in kernel.names(&folder).unwrap() {
                let path = format!("{folder}/{name}");
                let path = path.trim_start_matches('/').to_owned();
                assert_eq!(kernel.node(&path), Some(node), "{path}");
                count += 1;
                if node == Node::Folder {
                    folders.push(path);
                }
            }
        }
        assert!(count > 900, "{count}");
        for path in [
            "sys/nosuch",
            "module/nosuch",
            "module/br_netfilter/nosuch",
            "modules/x",
            "x",
        ] {
            assert_eq!(kernel.node(path), None, "{path}");
        }
    }
}
