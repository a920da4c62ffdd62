//! Programs of this host that are not where every user finds them.

use std::path::PathBuf;

use super::command::search_path;
use crate::error::{Error, Result};

/// Programs, and the package of Debian and most others that has them.
const PACKAGES: &[(&str, &str)] = &[
    ("btrfs", "btrfs-progs"),
    ("e2fsck", "e2fsprogs and dosfstools"),
    ("fsck.vfat", "e2fsprogs and dosfstools"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.f2fs", "f2fs-tools"),
    ("mkfs.vfat", "dosfstools"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkswap", "util-linux"),
    ("qemu-img", "qemu-utils"),
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("qemu-system-arm", "qemu-system-arm"),
    (
        "qemu-system-riscv64",
        "qemu-system-riscv, or qemu-system-misc",
    ),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("rbd", "ceph-common"),
    ("resize.f2fs", "f2fs-tools"),
    ("resize2fs", "e2fsprogs"),
    ("sfdisk", "fdisk, or util-linux"),
    ("tar", "tar"),
    ("xfs_growfs", "xfsprogs"),
];

/// The path of the program `name`; /sbin is not on every user's PATH.
///
/// # Errors
/// [`Kind::Host`](crate::error::Kind::Host) when it is not installed, with the package that has it.
pub fn find(name: &str) -> Result<PathBuf> {
    let mut path = search_path();
    path.push(":/usr/sbin:/sbin");
    which::which_in(name, Some(path), "/").map_err(|_| {
        let known = PACKAGES.iter().find(|(program, _)| *program == name);
        let package = known.map_or(name, |(_, package)| package);
        Error::host(format!("{name} is not installed")).hint(format!("install {package}"))
    })
}
