//! The modules that are loaded: /proc/modules and /sys/module.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    catalogue::{Catalogue, has_kernel, name_of},
    conf,
};
use crate::sys::inroot::Root;

/// What loads modules at a boot; it does not know of /etc/modules, to which Debian has a link.
const SYSTEMD: &str = "usr/lib/systemd/systemd-modules-load";
const OLD: &str = "etc/modules";
/// The most that are loaded at once; a machine has 150.
const MAX_LOADED: usize = 1000;
/// Of a module that is not in the image.
const UNKNOWN_SIZE: u64 = 16384;

/// Those that are loaded, the last one first.
#[derive(Debug, Default)]
pub struct Modules(Vec<Loaded>);

/// One of them.
#[derive(Debug)]
struct Loaded {
    name: String,
    size: u64,
    used_by: Vec<String>,
}

/// The names that the image's files load at a boot, each with the file that says so.
pub fn at_boot(root: &Root) -> Vec<(String, String)> {
    let mut files = conf::files(root, "modules-load.d");
    if !root.is_file(SYSTEMD.as_ref()) {
        files.extend(conf::file(root, OLD));
    }
    let named = files.iter().flat_map(|file| {
        let words = conf::lines(&file.text).filter_map(|line| line.split_whitespace().next());
        words.map(|word| (name_of(word), file.path.clone()))
    });
    named.take(MAX_LOADED).collect()
}

impl Modules {
    /// Those that a boot loads because files of the image say so. Which ones its hardware needs is not known.
    pub fn boot(root: &Root, release: &str) -> Self {
        let mut modules = Modules::default();
        let names = at_boot(root);
        if names.is_empty() {
            return modules;
        }
        let catalogue = Catalogue::read(root, release);
        let any = !has_kernel(root);
        for (name, _) in names {
            if any || catalogue.has(&name) {
                for name in catalogue.chain(&name) {
                    modules.load(&name, &catalogue, root);
                }
            }
        }
        modules
    }

    /// Whether it is loaded.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|loaded| loaded.name == name)
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|loaded| loaded.name.as_str())
    }

    /// Whether another one uses it.
    pub fn is_used(&self, name: &str) -> bool {
        let found = self.0.iter().find(|loaded| loaded.name == name);
        found.is_some_and(|loaded| !loaded.used_by.is_empty())
    }

    /// Loads it, unless it is; whether it was not.
    pub fn load(&mut self, name: &str, catalogue: &Catalogue, root: &Root) -> bool {
        if self.has(name) || self.0.len() >= MAX_LOADED {
            return false;
        }
        let uses = catalogue.uses(name);
        for used in self
            .0
            .iter_mut()
            .filter(|loaded| uses.contains(&loaded.name))
        {
            used.used_by.push(name.to_owned());
        }
        let size = match catalogue.size(root, name) {
            0 => UNKNOWN_SIZE,
            size => size,
        };
        let loaded = Loaded {
            name: name.to_owned(),
            size,
            used_by: Vec::new(),
        };
        self.0.insert(0, loaded);
        true
    }

    /// Takes it away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|loaded| loaded.name != name);
        for loaded in &mut self.0 {
            loaded.used_by.retain(|user| user != name);
        }
    }

    /// /proc/modules.
    pub fn listed(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, loaded| {
            let Loaded {
                name,
                size,
                used_by,
            } = loaded;
            let users = match &used_by[..] {
                [] => "-".to_owned(),
                users => users.iter().map(|user| format!("{user},")).collect(),
            };
            let count = used_by.len();
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "{name} {size} {count} {users} Live 0x0000000000000000"
            );
            text
        })
    }

    /// The files of one in /sys/module.
    pub fn attributes(&self, name: &str) -> Option<BTreeMap<&'static str, String>> {
        let loaded = self.0.iter().find(|loaded| loaded.name == name)?;
        Some(BTreeMap::from([
            ("coresize", format!("{}\n", loaded.size)),
            ("initstate", "live\n".to_owned()),
            ("refcnt", format!("{}\n", loaded.used_by.len())),
        ]))
    }

    /// The names of those that use it.
    pub fn users(&self, name: &str) -> &[String] {
        let found = self.0.iter().find(|loaded| loaded.name == name);
        found.map_or(&[], |loaded| &loaded.used_by)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::catalogue::tests::kernel, *};

    #[test]
    fn a_boot_loads_what_files_say_with_what_that_needs() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let at = dir.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            at
        };
        fs::write(
            at("etc/modules-load.d/k.conf"),
            "# k\nbr_netfilter\nnosuch\n",
        )
        .unwrap();
        fs::write(at("etc/modules"), "snd-seq-dummy ports=2\n").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let names = |modules: &Modules| modules.names().map(str::to_owned).collect::<Vec<_>>();
        let without_kernel = Modules::boot(&root, "6.1.0");
        assert_eq!(
            names(&without_kernel),
            ["snd_seq_dummy", "nosuch", "br_netfilter"]
        );
        kernel(dir.path(), "6.1.0");
        let mut modules = Modules::boot(&root, "6.1.0");
        assert_eq!(
            names(&modules),
            ["snd_seq_dummy", "br_netfilter", "bridge", "stp", "llc"]
        );
        let listed = modules.listed();
        assert!(
            listed.contains("bridge 100 1 br_netfilter, Live 0x"),
            "{listed}"
        );
        assert!(
            listed.contains("br_netfilter 16384 0 - Live 0x"),
            "{listed}"
        );
        assert!(modules.is_used("stp") && !modules.is_used("br_netfilter"));
        assert_eq!(modules.attributes("bridge").unwrap()["refcnt"], "1\n");
        modules.remove("br_netfilter");
        assert!(!modules.has("br_netfilter") && !modules.is_used("bridge"));
        fs::write(at(SYSTEMD), "").unwrap();
        assert!(!Modules::boot(&root, "6.1.0").has("snd_seq_dummy"));
    }
}
