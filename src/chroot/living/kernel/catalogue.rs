//! The modules of the image's own kernel, as depmod has listed them.

use std::collections::BTreeMap;

use crate::sys::inroot::Root;

/// The most of modules.dep that is read; a distribution's has 600 KB.
const MAX_BYTES: u64 = 16 << 20;
/// The most kernels that are looked at.
const MAX_KERNELS: usize = 64;

/// Those of one kernel.
#[derive(Debug, Default)]
pub struct Catalogue {
    folder: String,
    modules: BTreeMap<String, Listed>,
}

#[derive(Debug)]
struct Listed {
    /// Below the folder.
    path: String,
    /// All that it needs, itself or through others.
    needs: Vec<String>,
}

/// Whether the image at `root` has modules of any kernel.
pub fn has_kernel(root: &Root) -> bool {
    let releases = root.names("lib/modules".as_ref(), MAX_KERNELS);
    let listed =
        |release: &String| root.is_file(format!("lib/modules/{release}/modules.dep").as_ref());
    releases.is_ok_and(|releases| releases.iter().any(listed))
}

/// The name of a module as the kernel has it, from a name or a path.
pub fn name_of(module: &str) -> String {
    let file = module.rsplit('/').next().unwrap_or_default();
    let name = file.split(".ko").next().unwrap_or_default();
    name.replace('-', "_")
}

impl Catalogue {
    /// That of the kernel of this release in the image at `root`.
    pub fn read(root: &Root, release: &str) -> Self {
        let folder = format!("lib/modules/{release}");
        let text = root.read(format!("{folder}/modules.dep").as_ref(), MAX_BYTES);
        let modules = text
            .unwrap_or_default()
            .lines()
            .filter_map(listed)
            .collect();
        Catalogue { folder, modules }
    }

    /// Whether it has this module.
    pub fn has(&self, name: &str) -> bool {
        self.modules.contains_key(name)
    }

    /// What is to be loaded for this module, itself last.
    pub fn chain(&self, name: &str) -> Vec<String> {
        let needs = self.modules.get(name).map(|listed| &listed.needs[..]);
        // modules.dep has what is needed last at the end.
        let needs = needs.unwrap_or_default().iter().rev().cloned();
        needs.chain([name.to_owned()]).collect()
    }

    /// What this module itself uses.
    pub fn uses(&self, name: &str) -> Vec<String> {
        let needs = |name: &str| {
            self.modules
                .get(name)
                .map_or(&[][..], |listed| &listed.needs)
        };
        let all = needs(name);
        let through_others = |one: &String| all.iter().any(|other| needs(other).contains(one));
        all.iter()
            .filter(|one| !through_others(one))
            .cloned()
            .collect()
    }

    /// The size of the module's file, about what it takes in memory.
    pub fn size(&self, root: &Root, name: &str) -> u64 {
        let Some(listed) = self.modules.get(name) else {
            return 0;
        };
        let file = root.file(format!("{}/{}", self.folder, listed.path).as_ref());
        let size = file
            .and_then(|file| file.metadata())
            .map(|found| found.len());
        size.unwrap_or_default()
    }
}

/// `kernel/net/x.ko: kernel/net/y.ko kernel/net/z.ko`
fn listed(line: &str) -> Option<(String, Listed)> {
    let (path, needs) = line.split_once(':')?;
    let listed = Listed {
        path: path.to_owned(),
        needs: needs.split_whitespace().map(name_of).collect(),
    };
    Some((name_of(path), listed))
}

#[cfg(test)]
pub mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// A kernel with some modules below `top`.
    pub fn kernel(top: &Path, release: &str) {
        let folder = top.join("lib/modules").join(release);
        fs::create_dir_all(folder.join("kernel/net")).unwrap();
        let text = "kernel/net/br_netfilter.ko.xz: kernel/net/bridge.ko kernel/net/stp.ko kernel/net/llc.ko
kernel/net/bridge.ko: kernel/net/stp.ko kernel/net/llc.ko
kernel/net/stp.ko: kernel/net/llc.ko
kernel/net/llc.ko:
kernel/net/snd-seq-dummy.ko:
";
        fs::write(folder.join("modules.dep"), text).unwrap();
        fs::write(folder.join("kernel/net/bridge.ko"), [0; 100]).unwrap();
    }

    #[test]
    fn what_a_module_needs_comes_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert!(!has_kernel(&root));
        kernel(dir.path(), "6.1.0");
        assert!(has_kernel(&root));
        let catalogue = Catalogue::read(&root, "6.1.0");
        assert_eq!(
            catalogue.chain("br_netfilter"),
            ["llc", "stp", "bridge", "br_netfilter"]
        );
        assert_eq!(catalogue.uses("br_netfilter"), ["bridge"]);
        assert_eq!(catalogue.uses("bridge"), ["stp"]);
        assert!(catalogue.has("snd_seq_dummy") && !catalogue.has("nosuch"));
        assert_eq!(catalogue.size(&root, "bridge"), 100);
        assert_eq!(catalogue.chain("nosuch"), ["nosuch"]);
    }
}
