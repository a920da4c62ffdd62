//! The kernels in an image, each with its initramfs and the drivers that it has.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::facts;
use crate::{
    emulation::{arch::Arch, drivers::Drivers},
    sys::inroot::Root,
};

/// The largest list of modules that is read, in bytes; they are some hundred thousand.
const MAX_LIST: u64 = 16 << 20;

/// Where distributions have the kernel of a release, and its initramfs.
const OF_RELEASE: [(&str, &[&str]); 5] = [
    (
        "boot/vmlinuz-{}",
        &[
            "boot/initrd.img-{}",
            "boot/initramfs-{}.img",
            "boot/initramfs-{}",
            "boot/initrd-{}",
        ],
    ),
    ("boot/Image-{}", &["boot/initrd-{}", "boot/initrd.img-{}"]),
    ("boot/vmlinux-{}", &["boot/initrd.img-{}"]),
    ("usr/lib/modules/{}/vmlinuz", &["usr/lib/modules/{}/initrd"]),
    ("lib/modules/{}/vmlinuz", &["boot/initramfs-{}.img"]),
];

/// Kernels whose names do not tell the release: what is in its name, and the initramfs. In folders of [`FOLDERS`].
const BY_NAME: [(&str, &str, &str); 11] = [
    ("kernel8.img", "v8", "initramfs8"),
    ("kernel_2712.img", "2712", "initramfs_2712"),
    ("kernel7l.img", "v7l", "initramfs7l"),
    ("kernel7.img", "v7", "initramfs7"),
    ("kernel.img", "", "initramfs"),
    ("vmlinuz-lts", "lts", "initramfs-lts"),
    ("vmlinuz-virt", "virt", "initramfs-virt"),
    ("vmlinuz-linux", "", "initramfs-linux.img"),
    ("vmlinuz", "", "initrd.img"),
    ("Image", "", "initramfs-linux.img"),
    ("zImage", "", "initramfs-linux.img"),
];

/// Where they are, and a Pi's firmware looks.
pub(super) const FOLDERS: [&str; 4] =
    ["boot/firmware/current", "boot/firmware", "boot", "boot/efi"];

/// A kernel in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Its path in the image.
    pub path: String,
    /// The path of its initramfs, if it has one.
    pub initramfs: Option<String>,
    /// Its release, as far as the image tells.
    pub release: Option<String>,
    /// Its drivers; `None` where the image has no list of them.
    pub drivers: Option<Drivers>,
}

/// All kernels in the image, the newest first.
pub(super) fn all(root: &Root) -> Vec<Kernel> {
    let releases = facts::kernels(root);
    let is_file = |path: &String| root.is_file(Path::new(path));
    let mut found = Vec::new();
    for release in &releases {
        let named = |place: &&str| place.replace("{}", release);
        let kernel = OF_RELEASE
            .iter()
            .map(|(place, early)| (named(place), early))
            .find(|(path, _)| is_file(path));
        if let Some((path, early)) = kernel {
            let initramfs = early.iter().map(named).find(is_file);
            found.push(of(root, path, initramfs, Some(release)));
        }
    }
    for folder in FOLDERS {
        for (name, part, early) in BY_NAME {
            let path = format!("{folder}/{name}");
            if is_file(&path) {
                let initramfs = Some(format!("{folder}/{early}")).filter(is_file);
                let release = releases.iter().find(|release| release.contains(part));
                found.push(of(root, path, initramfs, release));
            }
        }
    }
    found
}

fn of(root: &Root, path: String, initramfs: Option<String>, release: Option<&String>) -> Kernel {
    let list = |name: &str| {
        let path = format!("lib/modules/{}/{name}", release?);
        root.read(Path::new(&path), MAX_LIST).ok()
    };
    let lists = (list("modules.builtin"), list("modules.dep"));
    let drivers = match lists {
        (None, None) => None,
        (built_in, dep) => Some(Drivers::read(
            &built_in.unwrap_or_default(),
            &dep.unwrap_or_default(),
        )),
    };
    Kernel {
        path,
        initramfs,
        release: release.cloned(),
        drivers,
    }
}

/// The kernel that is most likely to start on a machine of QEMU's: one with drivers for it, else one that may have some,
/// else one for a board that QEMU knows. If it is to be a `board`, one that reads cards comes first.
pub(super) fn best(kernels: Vec<Kernel>, arch: Arch, board: bool) -> Option<Kernel> {
    let rank = |kernel: &Kernel| match &kernel.drivers {
        Some(drivers) if board && drivers.reads_cards() && !is_for_pi_5(kernel) => 0,
        Some(drivers) if drivers.disk(arch).is_some() => 1,
        None => 2,
        Some(drivers) if drivers.reads_cards() && !is_for_pi_5(kernel) => 3,
        Some(_) => 4,
    };
    // The first of equals.
    kernels.into_iter().min_by_key(rank)
}

/// Whether it is made for a processor that no board of QEMU's has.
fn is_for_pi_5(kernel: &Kernel) -> bool {
    kernel.path.contains("2712")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn image(files: &[(&str, &str)]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        top
    }

    fn chosen(files: &[(&str, &str)]) -> Option<Kernel> {
        let top = image(files);
        best(all(&Root::open(top.path()).unwrap()), Arch::Aarch64, false)
    }

    const VIRTUAL: &str = "kernel/a/virtio_blk.ko\nkernel/a/virtio_mmio.ko\n";
    const PI: &str = "kernel/a/mmc_block.ko\nkernel/a/bcm2835-sdhost.ko\n";

    #[test]
    fn the_newest_comes_with_its_initramfs() {
        let kernel = chosen(&[
            ("lib/modules/6.1.0-9-arm64/modules.builtin", VIRTUAL),
            ("lib/modules/6.1.0-13-arm64/modules.builtin", VIRTUAL),
            ("boot/vmlinuz-6.1.0-9-arm64", ""),
            ("boot/initrd.img-6.1.0-9-arm64", ""),
            ("boot/vmlinuz-6.1.0-13-arm64", ""),
            ("boot/initrd.img-6.1.0-13-arm64", ""),
        ])
        .unwrap();
        assert_eq!(kernel.path, "boot/vmlinuz-6.1.0-13-arm64");
        let initramfs = kernel.initramfs.unwrap();
        assert_eq!(initramfs, "boot/initrd.img-6.1.0-13-arm64");
    }

    #[test]
    fn of_two_for_a_pi_the_one_that_a_board_of_qemu_starts() {
        let kernel = chosen(&[
            ("lib/modules/6.6.31+rpt-rpi-2712/modules.builtin", PI),
            ("lib/modules/6.6.31+rpt-rpi-v8/modules.builtin", PI),
            ("boot/firmware/kernel_2712.img", ""),
            ("boot/firmware/kernel8.img", ""),
            ("boot/firmware/initramfs8", ""),
        ])
        .unwrap();
        assert_eq!(kernel.path, "boot/firmware/kernel8.img");
        assert_eq!(kernel.release.as_deref(), Some("6.6.31+rpt-rpi-v8"));
        assert!(kernel.initramfs.is_some());
    }

    #[test]
    fn one_that_a_virtual_machine_starts_comes_before_a_newer_one() {
        let kernel = chosen(&[
            ("lib/modules/6.8.0-raspi/modules.builtin", PI),
            ("lib/modules/6.1.0-arm64/modules.builtin", VIRTUAL),
            ("boot/vmlinuz-6.8.0-raspi", ""),
            ("boot/vmlinuz-6.1.0-arm64", ""),
        ]);
        assert_eq!(kernel.unwrap().path, "boot/vmlinuz-6.1.0-arm64");
    }

    #[test]
    fn for_a_board_it_is_one_that_reads_cards() {
        let top = image(&[
            ("lib/modules/6.8.0-cloud/modules.builtin", VIRTUAL),
            ("lib/modules/6.1.0-raspi/modules.builtin", PI),
            ("boot/vmlinuz-6.8.0-cloud", ""),
            ("boot/vmlinuz-6.1.0-raspi", ""),
        ]);
        let found = || all(&Root::open(top.path()).unwrap());
        let path = |board| best(found(), Arch::Aarch64, board).unwrap().path;
        assert_eq!(path(true), "boot/vmlinuz-6.1.0-raspi");
        assert_eq!(path(false), "boot/vmlinuz-6.8.0-cloud");
    }

    #[test]
    fn no_kernel_is_none_and_no_modules_are_unknown() {
        assert_eq!(chosen(&[("etc/fstab", "")]), None);
        assert_eq!(chosen(&[("boot/Image", "")]).unwrap().drivers, None);
    }
}
