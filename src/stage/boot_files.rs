//! What a machine boots from: the kernel and its initramfs, device trees and kernel arguments, out of the mounted image.

use std::{fs::File, io::Read, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    boot, facts,
    kernels::{self, FOLDERS, Kernel},
    mounts::Mounts,
    partition::Access,
};
use crate::{
    disk::{Volume, layout},
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::inroot::Root,
};

/// The image to look at.
#[derive(Debug, Serialize, Deserialize)]
pub struct BootFiles {
    /// Its partitions and their file systems.
    pub volumes: Vec<Volume>,
    /// Mount points by partition number, where the user gave them.
    pub layout: Option<layout::Given>,
    /// Whether it is to be a board, and not a machine that is no real one.
    pub board: bool,
}

/// What an image has to boot from; the first entry of the archive, [`FOUND`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What its programs are for.
    pub arch: Arch,
    /// Its host name.
    pub hostname: Option<String>,
    /// The partition with its root.
    pub root: u32,
    /// The kernel, in the archive as [`KERNEL`] and [`INITRAMFS`].
    pub kernel: Option<Kernel>,
    /// File names of device trees for boards of Raspberry Pi; those that were asked for are in the archive.
    pub device_trees: Vec<String>,
    /// The text with the kernel's arguments, and its path.
    pub arguments: Option<(String, String)>,
    /// Whether it has a boot loader for UEFI.
    pub uefi: bool,
}

/// Names in the archive.
pub const FOUND: &str = "found";
/// The kernel, as it is in the image.
pub const KERNEL: &str = "kernel";
/// Its initramfs.
pub const INITRAMFS: &str = "initramfs";

/// The device trees of those boards that QEMU has, as Raspberry Pi's kernel and Linux' own call them.
pub const DEVICE_TREES: [&str; 4] = [
    "bcm2710-rpi-3-b.dtb",
    "bcm2837-rpi-3-b.dtb",
    "bcm2711-rpi-4-b.dtb",
    "bcm2838-rpi-4-b.dtb",
];

/// The largest kernel or initramfs, in bytes; they are some ten million.
pub const MAX_FILE: u64 = 512 << 20;
/// The largest device tree.
const MAX_TREE: u64 = 2 << 20;
/// The longest text with arguments.
const MAX_TEXT: u64 = 1 << 20;
/// The most names of a folder that are looked at.
const MAX_NAMES: usize = 10_000;

/// Where the kernel's arguments are, the first that is there: of a Pi's firmware, U-Boot, systemd and GRUB.
const ARGUMENTS: [&str; 8] = [
    "boot/firmware/current/cmdline.txt",
    "boot/firmware/cmdline.txt",
    "boot/cmdline.txt",
    "boot/extlinux/extlinux.conf",
    "boot/firmware/extlinux/extlinux.conf",
    "etc/kernel/cmdline",
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
];

/// Writes an archive of these files of the image to `to`; what the user should know.
pub(super) fn collect(image: &File, wanted: &BootFiles, to: File) -> Result<Vec<Event>> {
    let open = |access| Mounts::open(image, &wanted.volumes, wanted.layout.as_ref(), access);
    let (mut mounts, by_fstab) = match open(Access::Read) {
        // One that was in use when its machine was stopped is put in order first, as at any boot. It is a copy.
        Err(error) if error.kind() == Kind::Image => open(Access::Write)?,
        opened => opened?,
    };
    let mut told = Vec::new();
    if let Some(layout) = by_fstab {
        // Of the rest it is said in a run that changes the image.
        boot::mount(&mut mounts, &layout)?;
        told = mounts.notes();
    }
    let places = mounts.places();
    let packed = Root::open(mounts.root()).and_then(|root| pack(&root, wanted.board, &places, to));
    mounts.close()?;
    packed.map(|()| told)
}

fn pack(root: &Root, board: bool, places: &[(u32, std::path::PathBuf)], to: File) -> Result<()> {
    let arch = facts::arch(root)?;
    let kernel = kernels::best(kernels::all(root), arch, board);
    let trees = trees(root, kernel.as_ref());
    let is_root = |(_, at): &&(u32, std::path::PathBuf)| at == Path::new("/");
    let has_uefi = |folder: &&str| root.is_dir(&Path::new(folder).join("EFI"));
    let found = Found {
        arch,
        hostname: hostname(root),
        root: places.iter().find(is_root).map_or(0, |(number, _)| *number),
        device_trees: trees.iter().map(|(name, _)| name.clone()).collect(),
        arguments: ARGUMENTS.iter().find_map(|path| {
            let text = root.read(path.as_ref(), MAX_TEXT).ok()?;
            Some((text, (*path).to_owned()))
        }),
        uefi: FOLDERS.iter().chain(&["efi"]).any(has_uefi),
        kernel,
    };
    let mut archive = tar::Builder::new(to);
    let text = serde_json::to_vec(&found).expect("it is plain data");
    add(&mut archive, FOUND, &text[..], text.len() as u64)?;
    if let Some(kernel) = &found.kernel {
        add_file(&mut archive, root, KERNEL, &kernel.path, MAX_FILE)?;
        if let Some(path) = &kernel.initramfs {
            add_file(&mut archive, root, INITRAMFS, path, MAX_FILE)?;
        }
    }
    for (name, path) in &trees {
        if DEVICE_TREES.contains(&name.as_str()) {
            add_file(&mut archive, root, name, path, MAX_TREE)?;
        }
    }
    archive.finish().context(Kind::Host, no_room)
}

/// The device trees of Pis, each with its path, where the firmware or the kernel's package has them.
fn trees(root: &Root, kernel: Option<&Kernel>) -> Vec<(String, String)> {
    let mut folders: Vec<String> = FOLDERS.map(str::to_owned).into();
    if let Some(release) = kernel.and_then(|kernel| kernel.release.as_ref()) {
        folders.push(format!("usr/lib/linux-image-{release}/broadcom"));
        folders.push(format!("lib/firmware/{release}/device-tree/broadcom"));
        folders.push(format!("boot/dtbs/{release}/broadcom"));
    }
    folders.push("boot/dtbs/broadcom".into());
    let mut found: Vec<(String, String)> = Vec::new();
    for folder in folders {
        let names = root.names(folder.as_ref(), MAX_NAMES).unwrap_or_default();
        for name in names {
            let is_pi = name.starts_with("bcm27") || name.starts_with("bcm28");
            let is_new = || !found.iter().any(|(known, _)| *known == name);
            if is_pi && name.ends_with(".dtb") && is_new() {
                let path = format!("{folder}/{name}");
                found.push((name, path));
            }
        }
    }
    found
}

fn hostname(root: &Root) -> Option<String> {
    let text = root.read("etc/hostname".as_ref(), MAX_TEXT).ok()?;
    let name = text.lines().next()?.trim();
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(usual)).then(|| name.to_owned())
}

fn add_file(
    archive: &mut tar::Builder<File>,
    root: &Root,
    name: &str,
    path: &str,
    limit: u64,
) -> Result<()> {
    let failed = || format!("cannot read /{path} of the image");
    let file = root.file(path.as_ref()).context(Kind::Image, failed)?;
    let size = file.metadata().context(Kind::Image, failed)?.len();
    if size > limit {
        let most = limit >> 20;
        return Err(
            Error::image(format!("/{path} of the image has more than {most} MiB"))
                .hint("a kernel and its initramfs are much smaller: is the image damaged?"),
        );
    }
    add(archive, name, file.take(size), size).map_err(|error| error.of(path))
}

fn add(archive: &mut tar::Builder<File>, name: &str, from: impl Read, size: u64) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o400);
    archive
        .append_data(&mut header, name, from)
        .context(Kind::Image, no_room)
}

fn no_room() -> String {
    "cannot keep the kernel in memory".into()
}
