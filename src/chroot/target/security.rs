//! What keeps programs apart on the machine, as its kernel is configured and started.

use crate::{chroot::filesystems, sys::inroot::Root};

/// The longest configuration of a kernel that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Whether the kernel of this release starts with AppArmor; `None` if it does not tell.
pub fn has_apparmor(root: &Root, release: &str) -> Option<bool> {
    let config = root
        .read(format!("boot/config-{release}").as_ref(), MAX_CONFIG)
        .ok()?;
    let built = config.contains("\nCONFIG_SECURITY_APPARMOR=y\n");
    let arguments = filesystems::boot_arguments(root);
    let said = |name: &str| {
        let mut words = arguments.split_ascii_whitespace().rev();
        words
            .find_map(|word| word.strip_prefix(name))
            .map(str::to_owned)
    };
    let order = said("lsm=").or_else(|| {
        let line = config
            .lines()
            .find_map(|line| line.strip_prefix("CONFIG_LSM="));
        line.map(|order| order.trim_matches('"').to_owned())
    });
    let in_order = order.is_some_and(|order| order.split(',').any(|name| name == "apparmor"));
    let chosen = said("security=").is_some_and(|name| name == "apparmor");
    Some(built && (in_order || chosen) && said("apparmor=").as_deref() != Some("0"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn apparmor_is_as_the_kernel_starts() {
        let debian =
            "#\nCONFIG_SECURITY_APPARMOR=y\nCONFIG_LSM=\"landlock,lockdown,apparmor,bpf\"\n";
        let raspberry = "#\nCONFIG_SECURITY_APPARMOR=y\nCONFIG_LSM=\"\"\n";
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(has_apparmor(&root, "6.1.0"), None);
        fs::create_dir(dir.path().join("boot")).unwrap();
        for (config, arguments, expected) in [
            (debian, "", true),
            (debian, "root=x apparmor=0", false),
            (raspberry, "", false),
            (raspberry, "lsm=apparmor quiet", true),
            (raspberry, "apparmor=1 security=apparmor", true),
            (
                "#\n# CONFIG_SECURITY_APPARMOR is not set\n",
                "lsm=apparmor",
                false,
            ),
        ] {
            fs::write(dir.path().join("boot/config-6.1.0"), config).unwrap();
            fs::write(dir.path().join("boot/cmdline.txt"), arguments).unwrap();
            assert_eq!(
                has_apparmor(&root, "6.1.0"),
                Some(expected),
                "{config} {arguments}"
            );
        }
    }
}
