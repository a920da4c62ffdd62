//! The root file system: what it mounts, what it does at its first boot, and who it says it is.

use std::{io, path::Path};

use super::super::{
    RootOn,
    finding::Notes,
    seen::{Place, Seen},
    units,
};
use crate::disk::fstab::{self, Entry, Spec};

/// Whether a boot waits for an entry of fstab, and gives up if what it mounts is not there (systemd.mount(5), fstab).
fn is_needed(entry: &Entry) -> bool {
    !["nofail", "noauto", "x-systemd.automount"]
        .iter()
        .any(|option| entry.has_option(option))
}

/// Whether an entry is of a disk that a Pi which boots from the network has not.
fn is_of_card(entry: &Entry) -> bool {
    match &entry.spec {
        Spec::Label(_) | Spec::Uuid(_) | Spec::PartUuid(_) | Spec::PartLabel(_) => true,
        Spec::Device(path) => ["/dev/mmcblk", "/dev/sd", "/dev/nvme", "/dev/disk/"]
            .iter()
            .any(|disk| path.starts_with(disk)),
        Spec::Other(_) => false,
    }
}

fn entries(root: Place<'_>) -> io::Result<Vec<Entry>> {
    Ok(fstab::parse(&root.text("etc/fstab")?.unwrap_or_default()))
}

/// `fstab`
pub fn fstab(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for entry in entries(seen.root()?)? {
        let place = format!("/etc/fstab:{}", entry.line);
        if entry.file == "/" {
            match root_fault(&entry, &seen.wanted.root) {
                Some((saw, hint)) => notes.fail(saw, place, hint),
                None => notes.fine(format!("/ is {}", entry.source)),
            }
        } else if entry.file == "/boot/firmware" || entry.file == "/boot" {
            boot(&entry, seen, &place, notes);
        } else if is_of_card(&entry) && is_needed(&entry) && entry.fstype != "swap" {
            let hint =
                "take the line out, or add nofail: the boot waits for that disk and then gives up";
            notes.fail(format!("{} is {}", entry.file, entry.source), place, hint);
        }
    }
    notes.fine("nothing of a card is waited for");
    Ok(())
}

/// What is wrong with the entry of the root.
fn root_fault(entry: &Entry, root: &RootOn) -> Option<(String, &'static str)> {
    let saw = format!("/ is {}", entry.source);
    match root {
        RootOn::Rbd { partition } => {
            let device = match partition {
                Some(number) => format!("/dev/rbd0p{number}"),
                None => "/dev/rbd0".into(),
            };
            match &entry.spec {
                // The file system has its label and its id on a block device of Ceph, too.
                Spec::Label(_) | Spec::Uuid(_) => None,
                Spec::PartUuid(_) | Spec::PartLabel(_) if partition.is_some() => None,
                Spec::Device(path) if *path == device => None,
                _ => Some((saw, "name the block device: the role rbd_root does")),
            }
        }
        RootOn::Nfs { server, path } => {
            let is_same = entry.source == format!("{server}:{path}") || entry.source == "/dev/nfs";
            match is_same && entry.fstype.starts_with("nfs") {
                true => None,
                false => Some((saw, "name the NFS export: the role nfs_root does")),
            }
        }
        RootOn::Other => None,
    }
}

/// The entry of the folder that the Pi boots from.
fn boot(entry: &Entry, seen: &Seen<'_>, place: &str, notes: &mut Notes) {
    if !entry.fstype.starts_with("nfs") {
        if is_needed(entry) {
            let hint = "mount the folder of the TFTP server there by NFS, as the role pi_netboot does, or take the line out";
            notes.fail(format!("{} is {}", entry.file, entry.source), place, hint);
        } else {
            notes.fine(format!(
                "{} is {}, which may be missing",
                entry.file, entry.source
            ));
        }
        return;
    }
    let mounted = Path::new(&entry.source)
        .file_name()
        .and_then(|name| name.to_str());
    let is_serial = |name: &str| name.len() == 8 && name.chars().all(|c| c.is_ascii_hexdigit());
    match (mounted, seen.wanted.directory.as_deref()) {
        (Some(mounted), Some(wanted))
            if is_serial(mounted) && is_serial(wanted) && !mounted.eq_ignore_ascii_case(wanted) =>
        {
            let hint = "mount the folder that this Pi boots from, else its kernel updates reach another one";
            notes.fail(
                format!(
                    "{} is {}, and this Pi boots from {wanted}",
                    entry.file, entry.source
                ),
                place,
                hint,
            );
        }
        _ => notes.fine(format!("{} is {}", entry.file, entry.source)),
    }
}

/// `swap`
pub fn swap(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    if !seen.is_nfs() {
        notes.fine("the root is not on NFS");
        return Ok(());
    }
    const HINT: &str =
        "turn it off: the kernel does not swap to a file on NFS, and the unit fails or hangs";
    for entry in entries(root)?.iter().filter(|entry| entry.fstype == "swap") {
        if entry.source.starts_with('/') && !entry.source.starts_with("/dev/") {
            notes.fail(
                format!("{} is a swap file", entry.source),
                format!("/etc/fstab:{}", entry.line),
                HINT,
            );
        } else if is_of_card(entry) && is_needed(entry) {
            notes.fail(
                format!("{} is swap on a card", entry.source),
                format!("/etc/fstab:{}", entry.line),
                HINT,
            );
        }
    }
    if units::is_enabled(root, "dphys-swapfile.service")?
        || units::is_started_script(root, "dphys-swapfile")?
    {
        notes.fail(
            "dphys-swapfile makes a swap file at each boot",
            "/etc/dphys-swapfile",
            HINT,
        );
    }
    // Raspberry Pi OS since 13: with zram alone there is no file.
    if root.is_file("usr/lib/systemd/system-generators/rpi-swap-generator")? {
        let mut text = root.text("etc/rpi/swap.conf")?.unwrap_or_default();
        for name in root.list("etc/rpi/swap.conf.d", 100)? {
            text.push('\n');
            text += &root
                .text(&format!("etc/rpi/swap.conf.d/{name}"))?
                .unwrap_or_default();
        }
        let mechanism = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Mechanism="))
            .next_back();
        match mechanism {
            Some("zram" | "none") => notes.fine("rpi-swap uses no file"),
            other => {
                let hint = "write Mechanism=zram, or none, to /etc/rpi/swap.conf";
                let other = other.unwrap_or("not set, which is a file where it can be");
                notes.fail(
                    format!("rpi-swap may make a swap file: its Mechanism is {other}"),
                    "/etc/rpi/swap.conf",
                    hint,
                );
            }
        }
    }
    notes.fine("there is no swap file");
    Ok(())
}

/// `resize`
pub fn resize(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let root = seen.root()?;
    const HINT: &str = "disable it: what it resizes is a card, which is not there";
    // The first make a partition larger; the others a file system, which a block device of Ceph may want.
    for (unit, what, is_of_tables) in [
        (
            "rpi-resizerootfs.service",
            "Debian's rpi-resizerootfs",
            true,
        ),
        (
            "armbian-resize-filesystem.service",
            "Armbian's resizing",
            true,
        ),
        (
            "resize2fs_once.service",
            "Raspberry Pi OS's resize2fs_once",
            false,
        ),
        ("rpi-resize.service", "Raspberry Pi OS's rpi-resize", false),
        ("systemd-growfs-root.service", "systemd-growfs", false),
    ] {
        let is_bad = is_of_tables && !has_table(seen) || seen.is_nfs();
        if is_bad && units::is_enabled(root, unit)? {
            notes.fail(format!("{what} runs at the boot"), unit, HINT);
        }
    }
    if seen.is_nfs() && units::is_started_script(root, "resize2fs_once")? {
        notes.fail(
            "Raspberry Pi OS's resize2fs_once runs at the boot",
            "/etc/init.d/resize2fs_once",
            HINT,
        );
    }
    for entry in entries(root)? {
        // On a block device of Ceph the root may grow, if it has no table.
        if entry.has_option("x-systemd.growfs") && (seen.is_nfs() || entry.file != "/") {
            let hint = "take x-systemd.growfs out";
            notes.fail(
                format!("{} is to grow", entry.file),
                format!("/etc/fstab:{}", entry.line),
                hint,
            );
        }
    }
    if !has_table(seen) && units::is_enabled(root, "systemd-repart.service")? {
        for folder in ["etc/repart.d", "usr/lib/repart.d", "usr/local/lib/repart.d"] {
            let files = root.list(folder, 1000)?;
            if let Some(file) = files.iter().find(|name| name.ends_with(".conf")) {
                let hint = "take its files away, or mask systemd-repart.service";
                notes.fail(
                    "systemd-repart makes partitions at the boot",
                    format!("/{folder}/{file}"),
                    hint,
                );
            }
        }
    }
    if root.is_file("etc/cloud/cloud.cfg")? {
        notes.fine("cloud-init's growpart passes over what is no partition");
    }
    notes.fine("nothing resizes a card");
    Ok(())
}

/// Whether the root is in a partition, which may grow.
fn has_table(seen: &Seen<'_>) -> bool {
    matches!(seen.wanted.root, RootOn::Rbd { partition: Some(_) })
}

/// `identity`
pub fn identity(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    const HINT: &str = "run the role machine_identity last: each Pi then makes its own";
    let root = seen.root()?;
    let id = root.text("etc/machine-id")?.unwrap_or_default();
    if !matches!(id.trim(), "" | "uninitialized") {
        notes.fail("the machine id is set", "/etc/machine-id", HINT);
    }
    // A link leads to /etc/machine-id.
    let of_dbus = "var/lib/dbus/machine-id";
    if root.tree.link(of_dbus.as_ref())?.is_none()
        && root.stat(of_dbus)?.is_some_and(|stat| stat.size > 0)
    {
        notes.fail(
            "D-Bus has a machine id of its own",
            format!("/{of_dbus}"),
            HINT,
        );
    }
    for name in root.list("etc/ssh", 1000)? {
        if name.starts_with("ssh_host_") && name.ends_with("_key") {
            notes.fail(
                "a host key of SSH, which others may have, too",
                format!("/etc/ssh/{name}"),
                HINT,
            );
        }
    }
    if root.is_file("var/lib/systemd/random-seed")? {
        notes.fail(
            "a random seed, which others may have, too",
            "/var/lib/systemd/random-seed",
            HINT,
        );
    }
    notes.fine("no machine id, no host keys, no random seed");
    Ok(())
}
