//! Trees that boot, and each of the ways to break them.

mod breaks;
pub mod made;
mod network;
mod published;

use std::fs;

use made::zimage;
use published::Published;

use super::*;
use crate::{emulation::arch::Arch, sys::inroot::Root};

const RELEASE: &str = "6.12.47+rpt-rpi-v8";

/// Something that is done to a tree.
type Change = fn(&mut Published);

/// What it is, what it is made of, and how.
type Variant = (&'static str, fn() -> Published, Change);

#[test]
fn what_boots_passes_all_checks() {
    let variants: &[Variant] = &[
        ("rbd", Published::rbd, |_| {}),
        ("nfs", Published::nfs, |_| {}),
        ("rbd, dracut", Published::rbd, Published::dracut),
        ("nfs, dracut", Published::nfs, Published::dracut),
        ("nfs, dracut's own root=", Published::nfs, |p| {
            p.dracut();
            p.edit(
                "boot/cmdline.txt",
                "root=/dev/nfs nfsroot=10.0.0.1:/srv/nfs/pi,vers=3",
                "root=nfs:10.0.0.1:/srv/nfs/pi:vers=3",
            );
        }),
        (
            "nfs version 4, by the role's own script",
            Published::nfs,
            |p| {
                p.edit("boot/cmdline.txt", "console=tty1", "boot=nfsroot");
                p.edit("boot/cmdline.txt", "vers=3", "vers=4.2");
                let built_in = "macb.ko\nnfsv4.ko\n";
                p.put(
                    &format!("root/lib/modules/{RELEASE}/modules.builtin"),
                    built_in,
                );
            },
        ),
        ("a partition", Published::rbd, |p| {
            p.wanted.root = RootOn::Rbd { partition: Some(2) };
            p.edit("boot/cmdline.txt", "rbd0", "rbd0p2");
            p.edit("root/etc/fstab", "rbd0", "rbd0p2");
        }),
        ("by the MAC address", Published::rbd, |p| {
            p.wanted.by_mac = true;
            p.wanted.directory = Some("dc-a6-32-01-36-c2".into());
        }),
        ("Ubuntu since 25.10", Published::rbd, |p| {
            p.add("boot/config.txt", "os_prefix=current/\n");
            for name in [
                "vmlinuz",
                "initrd.img",
                "cmdline.txt",
                "bcm2710-rpi-3-b.dtb",
                "bcm2711-rpi-4-b.dtb",
                "bcm2712-rpi-5-b.dtb",
                "overlays",
            ] {
                fs::create_dir_all(p.path("boot/current")).unwrap();
                fs::rename(p.path("boot").join(name), p.path("boot/current").join(name)).unwrap();
            }
        }),
        (
            "a kernel with everything in it, over NFS",
            Published::nfs,
            |p| {
                p.edit("boot/config.txt", "initramfs initrd.img followkernel\n", "");
                let names = "smsc95xx.ko\nlan78xx.ko\ngenet.ko\nmacb.ko\nnfs.ko\nnfsv3.ko\n";
                p.put(
                    &format!("root/lib/modules/{RELEASE}/modules.builtin"),
                    names,
                );
            },
        ),
        ("the firmware's own names", Published::rbd, |p| {
            p.put("boot/config.txt", "arm_64bit=1\nauto_initramfs=1\n");
            fs::rename(p.path("boot/vmlinuz"), p.path("boot/kernel8.img")).unwrap();
            fs::rename(p.path("boot/initrd.img"), p.path("boot/initramfs8")).unwrap();
        }),
    ];
    for (what, make, change) in variants {
        let mut published = make();
        change(&mut published);
        let findings = published.check();
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.verdict != Verdict::Passed)
            .collect();
        assert!(bad.is_empty(), "{what}: {bad:#?}");
        assert_eq!(findings.len(), Name::ALL.len());
    }
}

#[test]
fn what_cannot_be_known_is_said_to_be_so() {
    let mut published = Published::rbd();
    published.put_bytes("boot/initrd.img", b"\x02\x21\x4c\x18 lz4");
    let unknown = [
        Name::Initramfs,
        Name::NetworkDriver,
        Name::RootDriver,
        Name::BootScripts,
    ];
    // A Pi 5 has its driver in the kernel, but what is not read may be all that there is.
    assert_eq!(published.with(Verdict::Unknown), unknown.into());
    let published = Published::rbd();
    let boot = Root::open(&published.path("boot")).unwrap();
    let findings = check(&boot, None, &published.wanted, &[Name::Links, Name::Swap]);
    assert!(
        !findings
            .iter()
            .any(|finding| [Name::Links, Name::Swap].contains(&finding.check))
    );
    let verdict = |name| {
        findings
            .iter()
            .find(|finding| finding.check == name)
            .unwrap()
            .verdict
    };
    for name in [
        Name::Fstab,
        Name::Identity,
        Name::NetworkManager,
        Name::Release,
    ] {
        assert_eq!(verdict(name), Verdict::Unknown, "{name}");
    }
    assert_eq!(verdict(Name::RootDriver), Verdict::Passed);
    let mut published = Published::rbd();
    published.wanted.directory = None;
    published.wanted.root = RootOn::Other;
    let unknown = published.with(Verdict::Unknown);
    assert!(unknown.contains(&Name::Directory) && unknown.contains(&Name::CmdlineRoot));
}

#[test]
fn one_board_needs_only_what_is_its_own() {
    let mut published = Published::rbd();
    published.wanted.boards = vec![Board::Pi5];
    for name in [
        "bootcode.bin",
        "start.elf",
        "fixup.dat",
        "start4.elf",
        "fixup4.dat",
        "bcm2711-rpi-4-b.dtb",
    ] {
        published.remove(&format!("boot/{name}"));
    }
    published.initramfs(&["genet.ko.xz", "lan78xx.ko.xz", "smsc95xx.ko.xz"]);
    assert!(
        published.with(Verdict::Failed).is_empty(),
        "{:#?}",
        published.check()
    );
    published.wanted.boards = vec![Board::Pi4];
    let failed = [Name::Firmware, Name::DeviceTree, Name::NetworkDriver];
    assert_eq!(published.with(Verdict::Failed), failed.into());
}

#[test]
fn a_root_of_32_bit_programs_may_have_a_kernel_of_either_kind() {
    let mut published = Published::rbd();
    published.wanted.architecture = Arch::Arm;
    assert!(published.with(Verdict::Failed).is_empty());
    published.wanted.boards = vec![Board::Pi3, Board::Pi4];
    published.put_bytes("boot/vmlinuz", &zimage(RELEASE));
    published.edit("boot/config.txt", "arm_64bit=1", "arm_64bit=0");
    assert!(
        published.with(Verdict::Failed).is_empty(),
        "{:#?}",
        published.check()
    );
}

/// What a terminal would obey is not passed on, nor is what is long.
#[test]
fn findings_quote_a_stranger_safely() {
    let mut published = Published::rbd();
    let long = "x".repeat(900);
    published.edit(
        "boot/cmdline.txt",
        "root=/dev/rbd0",
        &format!("root=\u{1b}]0;owned\u{7}{long}"),
    );
    for finding in published.check() {
        for text in [Some(finding.saw), finding.place, finding.hint]
            .into_iter()
            .flatten()
        {
            assert!(text.len() < 2000 && !text.contains('\u{1b}'), "{text}");
        }
    }
}
