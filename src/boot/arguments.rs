//! The kernel's arguments: the image's own, for another machine.

use crate::disk::Volume;

/// The longest command line that kernels of ARM take (COMMAND_LINE_SIZE), in bytes.
pub const MAX: usize = 2048;

/// The arguments in a text of the image's that is at `path`: the whole text, or a line of a boot loader's configuration.
pub fn of_text(text: &str, path: &str) -> Option<String> {
    let found = match path.rsplit('/').next()? {
        "extlinux.conf" => extlinux(text),
        "grub.cfg" => grub(text),
        _ => text.lines().next(),
    };
    let words: Vec<_> = found?.split_ascii_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The line of the default entry, or else of the first.
fn extlinux(text: &str) -> Option<&str> {
    let line = |line| -> Option<(String, &str)> {
        let line: &str = line;
        let (key, value) = line.trim().split_once(char::is_whitespace)?;
        Some((key.to_ascii_lowercase(), value.trim()))
    };
    let lines: Vec<_> = text.lines().filter_map(line).collect();
    let default = lines.iter().find(|(key, _)| key == "default");
    let is_default = |(key, value): &(String, &str)| {
        key == "label" && default.is_some_and(|(_, name)| name == value)
    };
    let from = lines.iter().position(is_default).unwrap_or(0);
    let append = lines[from..].iter().find(|(key, _)| key == "append");
    append.map(|(_, value)| *value)
}

/// What is behind the kernel's path in the first entry: later ones are older kernels, or for rescue.
fn grub(text: &str) -> Option<&str> {
    let is_kernel = |line: &&str| line.trim().starts_with("linux") && line.contains("root=");
    let line = text.lines().find(is_kernel)?;
    let (_, rest) = line.trim().split_once(char::is_whitespace)?;
    let (_, arguments) = rest.trim().split_once(char::is_whitespace)?;
    Some(arguments)
}

/// What they say of a root that is not on the image: the word that says it.
pub fn network_root(arguments: &str) -> Option<&str> {
    let is_network = |word: &&str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "nfsroot" | "rbdroot" | "nbdroot" | "netroot" => true,
            "boot" => matches!(value, "nfs" | "rbd" | "nbd" | "http"),
            "root" => {
                let disk = value.strip_prefix("/dev/").unwrap_or(value);
                ["nfs", "rbd", "nbd", "ceph", "iscsi", "http"]
                    .iter()
                    .any(|kind| disk.starts_with(kind))
            }
            _ => false,
        }
    };
    arguments.split_ascii_whitespace().find(is_network)
}

/// What the arguments are made for.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// What it calls its console; only one of these is there.
    pub consoles: &'a [&'a str],
    /// The partition with the root.
    pub root: &'a Volume,
    /// Whether an initramfs can find a root by what is in its file system.
    pub has_initramfs: bool,
    /// Whether the image's own names of its disk hold, as it is a card here too.
    pub same_disk: bool,
}

/// Words about consoles and about saying little.
const REPLACED: [&str; 6] = [
    "console",
    "earlycon",
    "earlyprintk",
    "quiet",
    "splash",
    "plymouth.ignore-serial-consoles",
];

/// The `image`'s arguments for `machine`, and `more` of the user's, which have the last word.
pub fn for_machine(image: Option<&str>, machine: Machine<'_>, more: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in image.unwrap_or_default().split_ascii_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if REPLACED.contains(&key) {
            continue;
        }
        match key {
            "root" if is_name_of_disk(value) && !machine.same_disk => words.push(root(machine)),
            _ => words.push(word.to_owned()),
        }
    }
    let has =
        |words: &[String], key: &str| words.iter().any(|word| word.split('=').next() == Some(key));
    if !has(&words, "root") {
        words.push(root(machine));
    }
    if image.is_none() {
        words.push("rw".into());
    }
    if !machine.has_initramfs && !has(&words, "rootwait") {
        words.push("rootwait".into());
    }
    let consoles = machine.consoles.iter();
    words.extend(consoles.map(|console| format!("console={console}")));
    words.extend(more.iter().cloned());
    words.join(" ")
}

/// Whether it names a disk as the kernel counts it, which another machine does not.
fn is_name_of_disk(value: &str) -> bool {
    value.strip_prefix("/dev/").is_some_and(|name| {
        !["disk/", "mapper/"]
            .iter()
            .any(|kind| name.starts_with(kind))
    })
}

/// How any machine finds the root.
fn root(machine: Machine<'_>) -> String {
    let fs = machine.root.fs.as_ref();
    let fs = fs
        .and_then(|fs| fs.uuid.as_ref())
        .filter(|_| machine.has_initramfs);
    let partition = &machine.root.partition;
    match (fs, &partition.uuid) {
        (Some(uuid), _) => format!("root=UUID={uuid}"),
        // The kernel itself knows these.
        (None, Some(uuid)) => format!("root=PARTUUID={uuid}"),
        (None, None) => "root=/dev/vda".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{
        FsKind,
        partition::{Partition, PartitionType},
        probe::FileSystem,
    };

    fn volume() -> Volume {
        Volume {
            partition: Partition {
                number: 2,
                start: 0,
                size: 1,
                type_: PartitionType::Dos(0x83),
                uuid: Some("0f2c9a51-02".into()),
                name: None,
            },
            fs: Some(FileSystem {
                kind: FsKind::Ext4,
                label: None,
                uuid: Some("d0e6".into()),
            }),
        }
    }

    fn made(image: Option<&str>, has_initramfs: bool, same_disk: bool) -> String {
        let root = volume();
        let machine = Machine {
            consoles: &["ttyAMA0"],
            root: &root,
            has_initramfs,
            same_disk,
        };
        for_machine(image, machine, &["panic=1".into()])
    }

    #[test]
    fn the_root_stays_and_the_console_is_the_machines() {
        let pi = "console=serial0,115200 console=tty1 root=PARTUUID=0f2c9a51-02 rootfstype=ext4 quiet splash";
        assert_eq!(
            made(Some(pi), true, false),
            "root=PARTUUID=0f2c9a51-02 rootfstype=ext4 console=ttyAMA0 panic=1"
        );
    }

    #[test]
    fn a_disk_that_is_called_otherwise_here_is_found_by_its_identifier() {
        let card = Some("root=/dev/mmcblk0p2 rw");
        assert_eq!(
            made(card, true, false),
            "root=UUID=d0e6 rw console=ttyAMA0 panic=1"
        );
        assert_eq!(
            made(card, false, false),
            "root=PARTUUID=0f2c9a51-02 rw rootwait console=ttyAMA0 panic=1"
        );
        assert_eq!(
            made(card, true, true),
            "root=/dev/mmcblk0p2 rw console=ttyAMA0 panic=1"
        );
        let by_id = Some("root=/dev/disk/by-label/writable");
        assert!(made(by_id, true, false).starts_with("root=/dev/disk/by-label/writable "));
        assert_eq!(
            made(None, true, false),
            "root=UUID=d0e6 rw console=ttyAMA0 panic=1"
        );
    }

    #[test]
    fn a_root_on_the_network_is_noticed() {
        for (text, word) in [
            ("boot=rbd root=/dev/rbd0 ip=dhcp", "boot=rbd"),
            ("ip=dhcp root=/dev/nfs nfsroot=10.0.0.1:/x", "root=/dev/nfs"),
            (
                "root=rbd:mon:user:key:pool:image",
                "root=rbd:mon:user:key:pool:image",
            ),
        ] {
            assert_eq!(network_root(text), Some(word));
        }
        assert_eq!(network_root("root=LABEL=nfs rootwait boot=local"), None);
    }

    #[test]
    fn arguments_are_found_in_the_files_of_boot_loaders() {
        let extlinux = "default l0\nlabel old\n\tappend root=/dev/x\nlabel l0\n  kernel /Image\n  append root=LABEL=a  rw\n";
        assert_eq!(
            of_text(extlinux, "boot/extlinux/extlinux.conf").unwrap(),
            "root=LABEL=a rw"
        );
        let grub = "set timeout=5\nmenuentry 'Debian' {\n\tlinuxefi_none\n\tlinux\t/boot/vmlinuz-6.1 root=UUID=1-2 ro quiet\n\
                    \tinitrd /boot/initrd.img\n}\n";
        assert_eq!(
            of_text(grub, "boot/grub/grub.cfg").unwrap(),
            "root=UUID=1-2 ro quiet"
        );
        assert_eq!(of_text("a b\nc\n", "boot/cmdline.txt").unwrap(), "a b");
        assert_eq!(of_text("\n", "boot/cmdline.txt"), None);
        assert_eq!(of_text("nothing", "boot/grub/grub.cfg"), None);
    }
}
