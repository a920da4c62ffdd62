//! Which machine images get, and why some get none.

use super::machine::{At, Image, Machine, Wanted, choose};
use crate::{
    emulation::{
        arch::Arch,
        drivers::{Card, Disk, Drivers},
    },
    error::{Kind, Result},
    stage::{boot_files::Found, kernels::Kernel},
};

const VIRTUAL: &str = "a/virtio_blk.ko\na/virtio_pci.ko\na/pci-host-generic.ko\na/virtio_net.ko\n";
const PI: &str = "a/mmc_block.ko\na/bcm2835-sdhost.ko\na/dwc_otg.ko\na/usbnet.ko\na/cdc_ether.ko\n";

fn found(built_in: Option<&str>, modules: &str, trees: &[&str]) -> Found {
    Found {
        arch: Arch::Aarch64,
        hostname: None,
        root: 2,
        kernel: Some(Kernel {
            path: "boot/firmware/kernel8.img".into(),
            initramfs: None,
            release: Some("6.6.31".into()),
            drivers: built_in.map(|text| Drivers::read(text, modules)),
        }),
        device_trees: trees.iter().map(|name| (*name).to_owned()).collect(),
        arguments: None,
        uefi: false,
    }
}

fn chosen(found: &Found, early: &[&str], wanted: &Wanted, boards: &[&str]) -> Result<Machine> {
    let early: Vec<_> = early.iter().map(|name| (*name).to_owned()).collect();
    let image = Image {
        found,
        kernel: found.kernel.as_ref().map(|_| found.arch),
        early: Some(&early),
    };
    choose(image, wanted, &|model| boards.contains(&model))
}

fn any() -> Wanted {
    Wanted::default()
}

fn model(name: &str) -> Wanted {
    Wanted {
        model: Some(name.into()),
        uefi: false,
    }
}

const TREES: [&str; 2] = ["bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb"];

#[test]
fn a_kernel_with_virtio_gets_the_virtual_machine() {
    let machine = chosen(&found(Some(VIRTUAL), "", &TREES), &[], &any(), &["raspi3b"]).unwrap();
    assert_eq!((machine.model.as_str(), machine.uefi), ("virt", false));
    assert_eq!(machine.disk, At::Bus(Disk::VirtioPci));
    assert_eq!(machine.card, Some(Card::VirtioPci));
    // Without a list of drivers it is tried.
    let machine = chosen(&found(None, "", &[]), &[], &any(), &[]).unwrap();
    assert_eq!(machine.disk, At::Bus(Disk::VirtioPci));
    let mut pc = found(Some(VIRTUAL), "", &[]);
    pc.arch = Arch::X86_64;
    let machine = chosen(&pc, &[], &any(), &[]).unwrap();
    assert_eq!(
        (machine.model.as_str(), machine.consoles),
        ("q35", &["ttyS0"][..])
    );
}

#[test]
fn drivers_that_are_modules_have_to_be_in_the_initramfs() {
    let modules = VIRTUAL.replace(".ko", ".ko:");
    let found = found(Some(""), &modules, &[]);
    let names: Vec<_> = VIRTUAL.lines().collect();
    assert_eq!(chosen(&found, &names, &any(), &[]).unwrap().model, "virt");
    let error = chosen(&found, &[], &any(), &[]).unwrap_err();
    assert!(error.to_string().contains("the initramfs lacks"), "{error}");
}

#[test]
fn a_kernel_for_a_pi_gets_a_board_that_this_qemu_has() {
    let found = found(Some(PI), "", &TREES);
    let machine = chosen(&found, &[], &any(), &["raspi3b", "raspi4b"]).unwrap();
    assert_eq!(
        (machine.model.as_str(), machine.disk),
        ("raspi3b", At::Slot)
    );
    assert_eq!(machine.card, Some(Card::Usb));
    assert_eq!(machine.device_tree.as_deref(), Some("bcm2710-rpi-3-b.dtb"));
    assert_eq!(machine.consoles, ["ttyAMA1,115200"]);
    let machine = chosen(&found, &[], &model("raspi4b"), &["raspi4b"]).unwrap();
    assert_eq!((machine.fixed, machine.card), (Some(("2G", 4)), None));
    let error = chosen(&found, &[], &model("raspi4b"), &["raspi3b"]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("raspi4b: this QEMU has no such board, QEMU 9.0 has"),
        "{error}"
    );
    let error = chosen(&found, &[], &model("sbsa-ref"), &[]).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("virt, raspi3b, raspi4b")
    );
}

#[test]
fn a_pi_5_is_said_to_have_no_model() {
    let found = found(Some(PI), "", &["bcm2712-rpi-5-b.dtb"]);
    let error = chosen(&found, &[], &any(), &["raspi3b", "raspi4b"]).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Image);
    assert!(
        text.contains("is for the Raspberry Pi 5, which QEMU has no model of"),
        "{text}"
    );
    assert!(
        text.contains("raspi3b: the image has no bcm2710-rpi-3-b.dtb"),
        "{text}"
    );
}

#[test]
fn uefi_is_for_who_asks_and_for_images_without_a_kernel() {
    let mut found = found(Some(VIRTUAL), "", &[]);
    let uefi = Wanted {
        model: None,
        uefi: true,
    };
    assert!(chosen(&found, &[], &uefi, &[]).is_err());
    found.uefi = true;
    assert!(chosen(&found, &[], &uefi, &[]).unwrap().uefi);
    assert!(!chosen(&found, &[], &any(), &[]).unwrap().uefi);
    found.kernel = None;
    assert!(chosen(&found, &[], &any(), &[]).unwrap().uefi);
    found.uefi = false;
    let error = chosen(&found, &[], &any(), &[]).unwrap_err();
    assert!(
        error.to_string().starts_with("the image has no kernel"),
        "{error}"
    );
}
