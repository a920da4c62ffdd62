//! How something is mounted in the chroot.

use super::wanted::Wanted;

/// How.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By the program itself, as anywhere.
    Real,
    /// What is at this path is shown there, too.
    Bind(&'static str),
    /// An empty file system stands in for it: it is the kernel's, and not this host's to give.
    OfKernel,
    /// An empty file system stands in for it: it is on another machine, or needs this helper.
    Elsewhere(Option<String>),
    /// An empty file system stands in for it: it is on a device.
    Device,
    /// It is in this file of the image, which needs a loop device.
    File,
}

/// What the chroot may mount by itself.
const OWN: [&str; 5] = ["devpts", "mqueue", "overlay", "ramfs", "tmpfs"];
/// The kernel's.
const OF_KERNEL: [&str; 20] = [
    "autofs",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devtmpfs",
    "efivarfs",
    "functionfs",
    "fusectl",
    "hugetlbfs",
    "nfsd",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "tracefs",
];
/// On another machine, or served by a program; those that a program of this name has to mount.
const WITH_HELPER: [&str; 8] = [
    "cifs",
    "davfs",
    "glusterfs",
    "nfs",
    "nfs4",
    "ntfs-3g",
    "smb3",
    "sshfs",
];
const WITHOUT_HELPER: [&str; 4] = ["9p", "afs", "ceph", "virtiofs"];

/// Decides it. `is_file` tells of a path whether it leads to a regular file.
pub fn choose(wanted: &Wanted, is_file: impl Fn(&str) -> bool) -> Way {
    if wanted.bind().is_some() {
        return Way::Real;
    }
    let source = wanted.source.as_deref().unwrap_or_default();
    let kind = wanted.kind.as_deref().unwrap_or("auto");
    match kind {
        "proc" => Way::Bind("/proc"),
        "sysfs" => Way::Bind("/sys"),
        _ if OWN.contains(&kind) => Way::Real,
        _ if OF_KERNEL.contains(&kind) => Way::OfKernel,
        _ if WITHOUT_HELPER.contains(&kind) => Way::Elsewhere(None),
        _ if kind == "fuse" || kind.starts_with("fuse.") => Way::Elsewhere(Some("fuse".to_owned())),
        _ if WITH_HELPER.contains(&kind) => Way::Elsewhere(Some(kind.to_owned())),
        // Without a type, mount(8) takes these for NFS and SMB.
        "auto" if source.starts_with("//") => Way::Elsewhere(Some("cifs".to_owned())),
        "auto" if source.contains(":/") => Way::Elsewhere(Some("nfs".to_owned())),
        _ if source.starts_with("/dev/") || is_tag(source) => Way::Device,
        _ if is_file(source) => Way::File,
        _ => Way::Real,
    }
}

/// `LABEL=...` and its like.
pub fn is_tag(source: &str) -> bool {
    let tags = ["LABEL", "UUID", "PARTUUID", "PARTLABEL", "ID"];
    source
        .split_once('=')
        .is_some_and(|(tag, _)| tags.contains(&tag))
}

/// Whether every boot of a system with systemd mounts this type at this path.
pub fn is_mounted_by_any_boot(kind: &str, target: &str) -> bool {
    let usual = [
        ("binfmt_misc", "/proc/sys/fs/binfmt_misc"),
        ("bpf", "/sys/fs/bpf"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("configfs", "/sys/kernel/config"),
        ("debugfs", "/sys/kernel/debug"),
        ("devpts", "/dev/pts"),
        ("devtmpfs", "/dev"),
        ("fusectl", "/sys/fs/fuse/connections"),
        ("hugetlbfs", "/dev/hugepages"),
        ("mqueue", "/dev/mqueue"),
        ("proc", "/proc"),
        ("pstore", "/sys/fs/pstore"),
        ("securityfs", "/sys/kernel/security"),
        ("sysfs", "/sys"),
        ("tracefs", "/sys/kernel/tracing"),
    ];
    usual.contains(&(kind, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_chroot_has_is_mounted_and_for_the_rest_something_stands_in() {
        let elsewhere = |helper: &str| Way::Elsewhere(Some(helper.to_owned()));
        for (kind, source, expected) in [
            (Some("tmpfs"), "tmpfs", Way::Real),
            (Some("proc"), "none", Way::Bind("/proc")),
            (Some("debugfs"), "none", Way::OfKernel),
            (Some("nfs4"), "srv:/x", elsewhere("nfs4")),
            (Some("fuse.sshfs"), "u@h:", elsewhere("fuse")),
            (Some("9p"), "share", Way::Elsewhere(None)),
            (None, "srv:/x", elsewhere("nfs")),
            (None, "//srv/x", elsewhere("cifs")),
            (Some("ext4"), "/dev/sda1", Way::Device),
            (Some("auto"), "LABEL=x", Way::Device),
            (None, "UUID=1-2", Way::Device),
            (Some("iso9660"), "/srv/cd.iso", Way::File),
            (None, "/srv", Way::Real),
        ] {
            let wanted = Wanted {
                source: Some(source.to_owned()),
                kind: kind.map(str::to_owned),
                ..Wanted::default()
            };
            let way = choose(&wanted, |path| path == "/srv/cd.iso");
            assert_eq!(way, expected, "{kind:?} {source}");
        }
        let bound = Wanted {
            source: Some("/dev/sda1".to_owned()),
            options: vec!["bind".to_owned()],
            ..Wanted::default()
        };
        assert_eq!(choose(&bound, |_| false), Way::Real);
    }
}
