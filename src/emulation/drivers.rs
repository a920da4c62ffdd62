//! Which drivers a kernel has for the virtual hardware of QEMU.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::arch::Arch;

/// How a disk is attached to a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// virtio, as a PCI device.
    VirtioPci,
    /// virtio, without PCI.
    VirtioMmio,
    /// A SCSI disk at a controller of virtio.
    VirtioScsi,
    /// NVMe.
    Nvme,
    /// SATA.
    Ahci,
    /// A USB stick.
    Usb,
}

/// What each needs, the fastest first.
const DISKS: [(Disk, &[&str]); 6] = [
    (Disk::VirtioPci, &["virtio_blk", "virtio_pci"]),
    (Disk::VirtioMmio, &["virtio_blk", MMIO]),
    (Disk::VirtioScsi, &["virtio_scsi", "virtio_pci", "sd_mod"]),
    (Disk::Nvme, &["nvme"]),
    (Disk::Ahci, &["ahci", "sd_mod"]),
    (Disk::Usb, &["xhci_pci", "usb_storage", "sd_mod"]),
];

/// What finds the PCI devices of the machine `virt`.
const PCI_HOST: &str = "pci_host_generic";
/// What finds its devices of virtio without PCI.
const MMIO: &str = "virtio_mmio";

/// A network card of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// virtio, as a PCI device.
    VirtioPci,
    /// virtio, without PCI.
    VirtioMmio,
    /// Intel's, which most kernels know.
    E1000e,
    /// One at USB, for boards without PCI.
    Usb,
}

/// What each needs.
const CARDS: [(Card, &[&str]); 3] = [
    (Card::VirtioPci, &["virtio_net", "virtio_pci"]),
    (Card::VirtioMmio, &["virtio_net", MMIO]),
    (Card::E1000e, &["e1000e"]),
];

/// What drives the card slot of the boards of QEMU, by any of these names.
const CARD_SLOTS: [&str; 4] = ["bcm2835_sdhost", "bcm2835_mmc", "sdhci_iproc", "bcm2835"];

/// The drivers of a kernel that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drivers {
    built_in: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Drivers {
    /// Those that `modules.builtin` and `modules.dep` of a kernel name.
    pub fn read(built_in: &str, dep: &str) -> Self {
        let dep = dep.lines().filter_map(|line| line.split(':').next());
        Drivers {
            built_in: built_in.lines().filter_map(known).collect(),
            modules: dep.filter_map(known).collect(),
        }
    }

    /// Without the modules but those of `paths`: before the root file system is there, only what is in the initramfs can
    /// be loaded.
    pub fn with_modules<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        Drivers {
            built_in: self.built_in.clone(),
            modules: paths.into_iter().filter_map(known).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.built_in.contains(name) || self.modules.contains(name)
    }

    /// The first of `all` that it has everything for.
    fn first<T: Copy>(&self, all: &[(T, &[&str])], arch: Arch) -> Option<T> {
        let works = |(_, names): &&(T, &[&str])| {
            // A PC has no place for devices of virtio without PCI; all others here are at PCI.
            let bus = match names.contains(&MMIO) {
                true => !is_pc(arch),
                false => is_pc(arch) || self.has(PCI_HOST),
            };
            bus && names.iter().all(|name| self.has(name))
        };
        all.iter().find(works).map(|(kind, _)| *kind)
    }

    /// How a disk can be attached to a machine of this architecture, if it can.
    pub fn disk(&self, arch: Arch) -> Option<Disk> {
        self.first(&DISKS, arch)
    }

    /// Which network card it can drive.
    pub fn card(&self, arch: Arch) -> Option<Card> {
        self.first(&CARDS, arch)
    }

    /// Whether it can read the card of one of QEMU's boards.
    pub fn reads_cards(&self) -> bool {
        self.has("mmc_block") && CARD_SLOTS.iter().any(|name| self.has(name))
    }

    /// Whether it can use a network card at the USB of a Raspberry Pi 3.
    pub fn has_usb_network(&self) -> bool {
        let host = self.has("dwc2") || self.has("dwc_otg");
        host && self.has("usbnet") && (self.has("cdc_ether") || self.has("rndis_host"))
    }
}

fn is_pc(arch: Arch) -> bool {
    matches!(arch, Arch::X86_64 | Arch::I386)
}

/// The name of the module at `path`, if it is one of those that matter.
fn known(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once(".ko")?;
    let name = name.replace('-', "_");
    let others = [
        PCI_HOST,
        "mmc_block",
        "dwc2",
        "dwc_otg",
        "usbnet",
        "cdc_ether",
        "rndis_host",
    ];
    let needed = DISKS.iter().map(|(_, names)| *names);
    let needed = needed.chain(CARDS.iter().map(|(_, names)| *names));
    let matters = needed
        .flatten()
        .chain(&CARD_SLOTS)
        .chain(&others)
        .any(|known| *known == name);
    matters.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: &str = "kernel/drivers/pci/controller/pci-host-generic.ko\nkernel/drivers/block/virtio_blk.ko\n\
                         kernel/drivers/virtio/virtio_pci.ko\nkernel/fs/ext4/ext4.ko\n";

    #[test]
    fn the_fastest_disk_that_it_can_drive() {
        let drivers = Drivers::read(CLOUD, "");
        assert_eq!(drivers.disk(Arch::Aarch64), Some(Disk::VirtioPci));
        let no_pci = CLOUD
            .replace("pci-host", "x")
            .replace("virtio_pci", "virtio_mmio");
        let drivers = Drivers::read(&no_pci, "");
        assert_eq!(drivers.disk(Arch::Riscv64), Some(Disk::VirtioMmio));
        assert_eq!(drivers.disk(Arch::X86_64), None);
        let packed = "kernel/drivers/nvme/host/nvme.ko.zst: kernel/a.ko.zst\n";
        let drivers = Drivers::read("", packed);
        assert_eq!(drivers.disk(Arch::X86_64), Some(Disk::Nvme));
        assert_eq!(drivers.disk(Arch::Aarch64), None, "without a PCI host");
    }

    #[test]
    fn only_the_initramfs_counts_until_there_is_a_root() {
        let modules = "kernel/drivers/block/virtio_blk.ko.xz: \nkernel/drivers/virtio/virtio_pci.ko.xz: \n\
                       kernel/drivers/net/virtio_net.ko.xz:\nkernel/drivers/pci/controller/pci-host-generic.ko.xz:\n";
        let drivers = Drivers::read("", modules);
        assert_eq!(drivers.disk(Arch::Aarch64), Some(Disk::VirtioPci));
        assert_eq!(drivers.card(Arch::Aarch64), Some(Card::VirtioPci));
        let early =
            drivers.with_modules(["usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko"]);
        assert_eq!(early.disk(Arch::Aarch64), None);
    }

    #[test]
    fn a_kernel_for_a_pi_reads_cards_and_nothing_virtual() {
        let pi = "kernel/drivers/mmc/core/mmc_block.ko\nkernel/drivers/mmc/host/bcm2835-sdhost.ko\n\
                  kernel/drivers/usb/host/dwc_otg/dwc_otg.ko\n";
        let drivers = Drivers::read(
            pi,
            "kernel/drivers/net/usb/usbnet.ko.xz:\nkernel/drivers/net/usb/cdc_ether.ko.xz:\n",
        );
        assert!(drivers.reads_cards() && drivers.has_usb_network());
        assert_eq!(drivers.disk(Arch::Aarch64), None);
        assert!(!Drivers::read(CLOUD, "").reads_cards());
    }
}
