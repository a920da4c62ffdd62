//! What the kernel must have and allow.

use std::path::Path;

use super::check::Check;
use crate::{
    chroot::filesystems::OWN_PROCESS_LIMIT,
    emulation::{arch::Arch, binfmt},
    sys::kernel::{self, Version},
};

/// The oldest Linux that has every system call used: close_range with CLOSE_RANGE_CLOEXEC is of 5.11,
/// LOOP_CONFIGURE of 5.8, openat2 of 5.6.
const OLDEST: Version = Version(5, 11);
/// Where Landlock can close off abstract sockets.
const LANDLOCK_SCOPES: Version = Version(6, 12);
/// Where the kernel lists what it runs foreign programs by.
const TABLE: &str = "/proc/sys/fs/binfmt_misc";

/// Whether we may mount at all.
pub fn root(is_root: bool) -> Check {
    if is_root {
        Check::ok("root", "this is run as root")
    } else {
        Check::missing("root", "images are mounted, which needs root")
            .run("sudo pichroot doctor".to_owned())
    }
}

/// The kernel's version, and what is lost with an old one.
pub fn version() -> Check {
    judge(Version::running(), &kernel::release())
}

fn judge(version: Version, release: &str) -> Check {
    if version < OLDEST {
        return Check::missing(
            "kernel",
            format!("Linux {release}; pichroot needs {OLDEST} or newer"),
        );
    }
    let lost: Vec<_> = [
        (
            binfmt::PRIVATE,
            "foreign programs need the host's own binfmt entries",
        ),
        (
            LANDLOCK_SCOPES,
            "programs of the image can reach abstract sockets of the host, unless run with --network none",
        ),
        (
            OWN_PROCESS_LIMIT,
            "no limit to the number of processes in the image",
        ),
    ]
    .into_iter()
    .filter(|(since, _)| version < *since)
    .map(|(since, what)| format!("before {since}, {what}"))
    .collect();
    if lost.is_empty() {
        return Check::ok("kernel", format!("Linux {release}"));
    }
    Check::warning("kernel", format!("Linux {release}: {}", lost.join("; ")))
}

/// Whether user namespaces can be made.
pub fn user_namespaces(is_root: bool) -> Check {
    const ID: &str = "user-namespaces";
    if !exists("/proc/self/ns/user") {
        return Check::missing(ID, "this kernel has no user namespaces (CONFIG_USER_NS)");
    }
    let switch = |name: &str| {
        let text = std::fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    if switch("user/max_user_namespaces") == Some(0) {
        return Check::missing(ID, "forbidden: user.max_user_namespaces is 0")
            .run("sysctl -w user.max_user_namespaces=10000".to_owned());
    }
    // Two switches that distributions have for processes without privileges; root is not concerned.
    let closed: Vec<_> = [
        ("kernel/unprivileged_userns_clone", 0),
        ("kernel/apparmor_restrict_unprivileged_userns", 1),
    ]
    .into_iter()
    .filter(|(name, value)| switch(name) == Some(*value))
    .map(|(name, value)| format!("{} is {value}", name.replace('/', ".")))
    .collect();
    match (closed.is_empty(), is_root) {
        (true, _) => Check::ok(ID, "allowed"),
        (false, _) => Check::ok(
            ID,
            format!("allowed for root; for others not: {}", closed.join(", ")),
        ),
    }
}

/// Whether the kernel can be told what runs foreign programs.
pub fn binfmt(host: Option<Arch>) -> Check {
    const ID: &str = "binfmt";
    if host.is_some_and(|host| host.runs(Arch::Aarch64)) {
        return Check::ok(ID, "not needed for aarch64 images");
    }
    if !exists(TABLE) && !kernel::has_module("binfmt_misc") {
        return Check::missing(ID, "this kernel has no binfmt_misc (CONFIG_BINFMT_MISC)");
    }
    if Version::running() >= binfmt::PRIVATE {
        return Check::ok(
            ID,
            "each run registers qemu for itself; the host's table stays",
        );
    }
    match binfmt::host_entry(TABLE.as_ref(), Arch::Aarch64) {
        Some(entry) if entry.fixed && entry.credentials => Check::ok(
            ID,
            format!("the host's own entry, {}", entry.interpreter.display()),
        ),
        Some(entry) if entry.fixed => Check::warning(
            ID,
            format!(
                "the host's own entry, {}, lacks the flag C: in the image, sudo fails for all users but root",
                entry.interpreter.display()
            ),
        ),
        _ => Check::missing(
            ID,
            format!(
                "before Linux {} the host needs an entry for aarch64 with the flag F, and C for sudo",
                binfmt::PRIVATE
            ),
        )
        .run("systemctl restart systemd-binfmt".to_owned()),
    }
}

/// Whether images can be attached.
pub fn loop_devices() -> Check {
    if exists("/dev/loop-control") {
        Check::ok("loop-devices", "/dev/loop-control")
    } else {
        Check::missing("loop-devices", "there is no /dev/loop-control")
            .run("modprobe loop".to_owned())
    }
}

/// Whether the root of most images can be mounted.
pub fn ext4() -> Check {
    match (kernel::has_file_system("ext4"), kernel::has_module("ext4")) {
        (true, _) => Check::ok("ext4", "in the kernel"),
        (false, true) => Check::ok("ext4", "as a module"),
        (false, false) => {
            Check::missing("ext4", "this kernel has none").run("modprobe ext4".to_owned())
        }
    }
}

/// Who serves FAT: the kernel or we.
pub fn fat() -> Check {
    const ID: &str = "fat";
    if kernel::has_file_system("vfat") {
        return Check::ok(ID, "vfat in the kernel");
    }
    if kernel::has_module("vfat") {
        return Check::ok(ID, "vfat as a module");
    }
    if exists("/dev/fuse") {
        return Check::ok(
            ID,
            "by pichroot itself over /dev/fuse; this kernel has no vfat",
        );
    }
    Check::missing(ID, "this kernel has neither vfat nor /dev/fuse").run("modprobe fuse".to_owned())
}

/// Whether `path` is there, for devices and kernel switches.
fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    #[test]
    fn an_old_kernel_says_what_it_loses() {
        let status = |major, minor| judge(Version(major, minor), "x").status;
        assert_eq!(status(5, 10), Status::Missing);
        assert_eq!(status(5, 15), Status::Warning);
        assert_eq!(status(6, 14), Status::Ok);
        let found = |minor| judge(Version(6, minor), "x").found;
        assert_eq!(found(6).matches("before").count(), 3);
        assert_eq!(found(8).matches("before").count(), 2);
        assert_eq!(found(12).matches("before").count(), 1);
    }
}
