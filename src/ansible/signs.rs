//! By what the guard sees that a task failed for what an image is.

use serde::Serialize;

use crate::event::Met;

/// Words in small letters that are in one line of what the task said, whatever else is, and what they tell.
#[derive(Debug, Serialize)]
pub struct Sign(pub Met, pub &'static [&'static str]);

/// All of them; the first that fits a line counts.
pub const SIGNS: &[Sign] = &[
    Sign(Met::Modules, &["modprobe: fatal"]),
    Sign(Met::Modules, &["modprobe: error"]),
    Sign(Met::Modules, &["rmmod: error"]),
    Sign(Met::Modules, &["could not insert module"]),
    Sign(Met::Modules, &["not found in directory /lib/modules"]),
    Sign(Met::Network, &["you must be root", "iptables"]),
    Sign(Met::Network, &["you must be root", "ip6tables"]),
    Sign(Met::Network, &["you must be root", "ebtables"]),
    Sign(Met::Network, &["you must be root", "ipset"]),
    Sign(Met::Network, &["netlink", "operation not permitted"]),
    Sign(Met::Network, &["netlink", "permission denied"]),
    Sign(Met::Network, &["netlink", "protocol not supported"]),
    Sign(Met::Network, &["unable to initialize netlink socket"]),
    Sign(Met::Network, &["could not fetch rule set generation id"]),
    Sign(Met::Network, &["problem running ufw-init"]),
    Sign(Met::Systemd, &["not been booted with systemd"]),
    Sign(Met::Systemd, &["failed to connect to", "bus"]),
    Sign(Met::Systemd, &["cannot connect to", "bus"]),
    Sign(Met::Systemd, &["/run/dbus/system_bus_socket"]),
    Sign(Met::Systemd, &["running in chroot"]),
    // What refuses in the place of a program.
    Sign(
        Met::Systemd,
        &["by the system's bus, and none runs in an image"],
    ),
    Sign(Met::Mounts, &["mount: ", "permission denied"]),
    Sign(Met::Mounts, &["mount: ", "operation not permitted"]),
    Sign(Met::Mounts, &["mount: ", "must be superuser"]),
    Sign(Met::Mounts, &["mount: ", "not permitted"]),
    Sign(Met::Mounts, &["swapon: ", "failed"]),
    Sign(Met::Mounts, &["swapoff: ", "failed"]),
    Sign(Met::Mounts, &["losetup: "]),
    Sign(Met::KernelFiles, &["read-only file system", "/proc/"]),
    Sign(Met::KernelFiles, &["read-only file system", "/sys/"]),
    Sign(Met::KernelFiles, &["sysctl: setting key"]),
    Sign(Met::KernelFiles, &["sysctl: permission denied on key"]),
    Sign(Met::KernelFiles, &["permission denied", "/proc/sys/"]),
    Sign(Met::Busy, &["device or resource busy"]),
    Sign(Met::Rights, &["ioctl", "operation not permitted"]),
    Sign(Met::Rights, &["setting flags", "operation not permitted"]),
    Sign(Met::Rights, &["cannot set date"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_compares_small_letters() {
        let words = SIGNS.iter().flat_map(|Sign(_, words)| *words);
        for word in words {
            assert_eq!(*word, word.to_lowercase());
        }
        let first = serde_json::to_string(&SIGNS[0]).unwrap();
        assert_eq!(first, r#"["modules",["modprobe: fatal"]]"#);
    }
}
