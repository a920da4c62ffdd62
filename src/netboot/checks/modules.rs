//! Which modules an initramfs has, and which its kernel has built in.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
};

use super::super::{cpio::Archive, kernel::is_release, load::Load, seen::Seen};

/// The most that a module may need, which is some twenty.
const MAX_NEEDED: usize = 256;

/// The releases that an initramfs has modules of.
pub fn releases(archive: &Archive) -> BTreeSet<String> {
    let paths = archive
        .paths
        .iter()
        .filter_map(|path| path.strip_prefix("lib/modules/"));
    let modules = paths.filter(|path| path.contains(".ko"));
    let releases = modules.filter_map(|path| path.split('/').next());
    releases
        .filter(|name| is_release(name))
        .map(str::to_owned)
        .collect()
}

/// The name of a module by its file: `-` and `_` are one.
pub fn name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, rest) = file.split_once(".ko")?;
    let is_module = ["", ".xz", ".zst", ".gz"].contains(&rest);
    is_module.then(|| plain(name))
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// What a kernel has when it looks for its root.
pub struct Modules {
    /// Modules of the initramfs.
    loadable: BTreeSet<String>,
    /// What is in the kernel.
    built_in: BTreeSet<String>,
    /// What each module of the root needs.
    needs: BTreeMap<String, Vec<String>>,
    /// Whether what is built in is known at all.
    pub is_known: bool,
}

impl Modules {
    /// Of what a board loads.
    ///
    /// # Errors
    /// Those of the tree.
    pub fn of(seen: &Seen<'_>, load: &Load) -> io::Result<Self> {
        let release = seen
            .kernel(load)
            .and_then(|kernel| kernel.release.as_deref());
        let archive = seen.archive(load);
        let mut modules = Modules {
            loadable: BTreeSet::new(),
            built_in: BTreeSet::new(),
            needs: BTreeMap::new(),
            is_known: false,
        };
        if let Some(archive) = archive {
            let of_kernel = |path: &&String| match release {
                Some(release) => path.starts_with(&format!("lib/modules/{release}/")),
                None => path.starts_with("lib/modules/"),
            };
            let paths = archive.paths.iter().filter(of_kernel);
            modules.loadable = paths.filter_map(|path| name(path)).collect();
            for (path, content) in &archive.kept {
                if path.ends_with("/modules.builtin") && of_kernel(&path) {
                    modules.add_built_in(&String::from_utf8_lossy(content));
                }
            }
        }
        if let (Some(release), Ok(root)) = (release, seen.root()) {
            let text = |file: &str| root.text(&format!("lib/modules/{release}/{file}"));
            if let Some(text) = text("modules.builtin")? {
                modules.add_built_in(&text);
            }
            modules.needs = needs(&text("modules.dep")?.unwrap_or_default());
            modules.add_soft(&text("modules.softdep")?.unwrap_or_default());
        }
        Ok(modules)
    }

    fn add_built_in(&mut self, text: &str) {
        self.is_known = true;
        self.built_in.extend(text.lines().filter_map(name));
    }

    /// What modprobe loads before a module, though the module has no name of it in itself: `softdep genet pre: mdio-bcm-unimac`. Such
    /// a name may be of no module of this kernel, and then nothing is missing.
    fn add_soft(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
                continue;
            };
            let before = words.skip_while(|word| *word != "pre:").skip(1);
            let before = before.take_while(|word| *word != "post:").map(plain);
            let known: Vec<String> = before
                .filter(|name| self.needs.contains_key(name))
                .collect();
            if let Some(needed) = self.needs.get_mut(&plain(module)) {
                needed.extend(known);
            }
        }
    }

    /// Whether a module is there when the kernel looks for its root.
    pub fn has(&self, module: &str) -> bool {
        self.is_built_in(module) || self.loadable.contains(module)
    }

    /// Whether it is in the kernel.
    pub fn is_built_in(&self, module: &str) -> bool {
        self.built_in.contains(module)
    }

    /// What is missing of a module and all that it needs.
    pub fn missing(&self, module: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut asked = BTreeSet::new();
        let mut queue = VecDeque::from([module.to_owned()]);
        while let Some(module) = queue.pop_front() {
            if asked.len() > MAX_NEEDED || !asked.insert(module.clone()) {
                continue;
            }
            if !self.has(&module) {
                missing.push(module.clone());
            }
            if !self.is_built_in(&module) {
                queue.extend(self.needs.get(&module).into_iter().flatten().cloned());
            }
        }
        missing
    }
}

/// modules.dep: a module on each line, and behind a colon what it needs.
fn needs(text: &str) -> BTreeMap<String, Vec<String>> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(module, needed)| {
            let needed = needed.split_whitespace().filter_map(name);
            Some((name(module)?, needed.collect()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_file() {
        for (path, expected) in [
            (
                "kernel/drivers/net/ethernet/broadcom/genet/genet.ko.xz",
                Some("genet"),
            ),
            ("a/mdio-bcm-unimac.ko", Some("mdio_bcm_unimac")),
            ("a/x.ko.zst", Some("x")),
            ("a/x.kop", None),
            ("a/modules.dep", None),
        ] {
            assert_eq!(name(path).as_deref(), expected);
        }
    }

    #[test]
    fn what_a_module_needs_is_missed_too() {
        let modules = Modules {
            loadable: ["rbd".to_owned()].into(),
            built_in: ["libcrc32c".to_owned()].into(),
            needs: needs(
                "k/rbd.ko: k/libceph.ko\nk/libceph.ko: k/libcrc32c.ko k/rbd.ko\nk/libcrc32c.ko: k/x.ko\n",
            ),
            is_known: true,
        };
        assert_eq!(modules.missing("rbd"), ["libceph"]);
        assert_eq!(modules.missing("nfs"), ["nfs"]);
        assert!(modules.missing("libcrc32c").is_empty());
    }

    #[test]
    fn what_modprobe_loads_before_is_needed_too() {
        let mut modules = Modules {
            loadable: ["genet".to_owned()].into(),
            built_in: BTreeSet::new(),
            needs: needs("k/genet.ko:\nk/mdio-bcm-unimac.ko:\nk/late.ko:\n"),
            is_known: true,
        };
        modules.add_soft(
            "# comment\nsoftdep genet pre: mdio-bcm-unimac of-no-kernel post: late\nsoftdep x\n",
        );
        assert_eq!(modules.missing("genet"), ["mdio_bcm_unimac"]);
    }
}
