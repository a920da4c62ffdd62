//! What fails each check.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use super::{
    super::{Name, Verdict},
    Change, Published, RELEASE,
    made::{arm64, zimage},
};

/// Each breaks a good tree so that one check fails; some make others fail with it.
const BREAKS: &[(Name, &[Name], Change)] = &[
    (Name::Directory, &[], |p| {
        p.wanted.directory = Some("9FFEFDEF".into())
    }),
    (Name::Directory, &[], |p| {
        p.wanted.directory = Some("100000009ffefdef".into())
    }),
    (Name::Directory, &[], |p| p.wanted.by_mac = true),
    (Name::Readable, &[], |p| {
        fs::set_permissions(p.path("boot/vmlinuz"), fs::Permissions::from_mode(0o600)).unwrap();
    }),
    (Name::Readable, &[], |p| {
        fs::set_permissions(p.path("boot/overlays"), fs::Permissions::from_mode(0o700)).unwrap();
    }),
    (Name::Links, &[], |p| {
        p.link("boot/out", "../root/etc/fstab")
    }),
    (Name::Links, &[], |p| p.link("boot/absolute", "/vmlinuz")),
    (Name::Links, &[], |p| p.link("boot/nowhere", "lost")),
    (Name::Config, &[], |p| {
        p.add("boot/config.txt", "include usercfg.txt\n")
    }),
    (Name::Config, &[], |p| {
        p.add(
            "boot/config.txt",
            &format!("#\ndtparam={}\n", "x".repeat(100)),
        )
    }),
    (
        Name::Config,
        &[
            Name::Kernel,
            Name::Initramfs,
            Name::NetworkDriver,
            Name::RootDriver,
        ],
        |p| p.remove("boot/config.txt"),
    ),
    (Name::OsPrefix, &[], |p| {
        p.add("boot/config.txt", "os_prefix=new/\n")
    }),
    (Name::Firmware, &[], |p| p.remove("boot/start4.elf")),
    (Name::Firmware, &[], |p| p.remove("boot/fixup4.dat")),
    (Name::Firmware, &[], |p| p.remove("boot/bootcode.bin")),
    (Name::Firmware, &[], |p| p.remove("boot/fixup.dat")),
    (Name::Firmware, &[], |p| {
        p.add("boot/config.txt", "[pi4]\nstart_x=1\n")
    }),
    (Name::DeviceTree, &[], |p| {
        p.remove("boot/bcm2712-rpi-5-b.dtb")
    }),
    (Name::DeviceTree, &[], |p| {
        p.add("boot/config.txt", "device_tree=mine.dtb\n")
    }),
    (Name::Overlays, &[], |p| {
        p.remove("boot/overlays/vc4-kms-v3d.dtbo")
    }),
    (Name::Overlays, &[], |p| {
        p.add("boot/config.txt", "[gpio4=1]\ndtoverlay=lost\n")
    }),
    (Name::Tryboot, &[], |p| {
        p.put(
            "boot/autoboot.txt",
            "[all]\ntryboot_a_b=1\nboot_partition=2\n",
        )
    }),
    (Name::Tryboot, &[], |p| p.put("boot/tryboot.txt", "")),
    (Name::Kernel, &[], |p| p.remove("boot/vmlinuz")),
    (Name::Kernel, &[], |p| {
        p.put_bytes("boot/vmlinuz", b"MZ\0\0zimg and more")
    }),
    (Name::Kernel, &[], |p| {
        p.put_bytes("boot/vmlinuz", &zimage(RELEASE))
    }),
    (Name::Kernel, &[], |p| {
        p.add("boot/config.txt", "[pi4]\narm_64bit=0\n")
    }),
    (Name::Kernel, &[], |p| {
        p.edit("boot/config.txt", "arm_64bit=1\n", "")
    }),
    (Name::Initramfs, &[], |p| p.remove("boot/initrd.img")),
    (Name::Initramfs, &[], |p| {
        let bytes = fs::read(p.path("boot/initrd.img")).unwrap();
        p.put_bytes("boot/initrd.img", &bytes[..bytes.len() - 30]);
    }),
    (
        Name::Release,
        &[Name::NetworkDriver, Name::RootDriver],
        |p| {
            p.put_bytes("boot/vmlinuz", &arm64("6.6.1"));
            p.put("root/lib/modules/6.6.1/modules.builtin", "macb.ko\n");
        },
    ),
    (Name::Release, &[], |p| {
        fs::rename(
            p.path(&format!("root/lib/modules/{RELEASE}")),
            p.path("root/lib/modules/6.1"),
        )
        .unwrap();
    }),
    (Name::NetworkDriver, &[], |p| p.initramfs(&["genet.ko.xz"])),
    (Name::NetworkDriver, &[], |p| {
        p.initramfs(&["lan78xx.ko.xz"])
    }),
    (Name::NetworkDriver, &[], |p| {
        p.put(
            &format!("root/lib/modules/{RELEASE}/modules.builtin"),
            "other.ko\n",
        )
    }),
    (Name::RootDriver, &[], |p| p.initramfs(&["libceph.ko.xz"])),
    (Name::BootScripts, &[], |p| p.initramfs(&["scripts/rbd"])),
    (Name::BootScripts, &[], |p| p.initramfs(&["rbdroot.key"])),
    (Name::BootScripts, &[], |p| {
        p.put("root/etc/rbdroot.conf", "image=other\n")
    }),
    (Name::Cmdline, &[], |p| p.add("boot/cmdline.txt", "quiet\n")),
    (Name::Cmdline, &[], |p| p.remove("boot/cmdline.txt")),
    (Name::Cmdline, &[Name::CmdlineRoot, Name::CmdlineIp], |p| {
        p.put("boot/cmdline.txt", "\n")
    }),
    (Name::CmdlineRoot, &[], |p| {
        p.edit("boot/cmdline.txt", "root=/dev/rbd0", "root=/dev/rbd0p1")
    }),
    (Name::CmdlineRoot, &[], |p| {
        p.edit("boot/cmdline.txt", "boot=rbd ", "")
    }),
    (Name::CmdlineRoot, &[], |p| {
        p.edit("boot/cmdline.txt", "boot=rbd", "root=/dev/nfs boot=rbd")
    }),
    (Name::CmdlineIp, &[], |p| {
        p.edit("boot/cmdline.txt", "ip=dhcp ", "")
    }),
    (Name::CmdlineIp, &[], |p| {
        p.edit("boot/cmdline.txt", "ip=dhcp", "ip=off")
    }),
    (Name::CmdlineCard, &[], |p| {
        p.edit(
            "boot/cmdline.txt",
            "ip=dhcp",
            "ip=dhcp resume=PARTUUID=1234-02",
        )
    }),
    (Name::CmdlineCard, &[Name::CmdlineRoot], |p| {
        p.edit("boot/cmdline.txt", "/dev/rbd0", "/dev/mmcblk0p2")
    }),
    (Name::CmdlineFirstBoot, &[], |p| {
        p.edit("boot/cmdline.txt", "ip=dhcp", "ip=dhcp resize")
    }),
    (Name::CmdlineFirstBoot, &[], |p| {
        p.edit(
            "boot/cmdline.txt",
            "ip=dhcp",
            "ip=dhcp init=/usr/lib/raspberrypi-sys-mods/firstboot",
        )
    }),
    (Name::CmdlineFirstBoot, &[], |p| {
        p.edit(
            "boot/cmdline.txt",
            "ip=dhcp",
            "ip=dhcp systemd.run=/boot/firstrun.sh",
        )
    }),
    (Name::Secrets, &[], |p| {
        p.put("boot/notes.txt", &format!("key AQ{}==\n", "Bc".repeat(18)))
    }),
    (Name::Secrets, &[], |p| {
        p.edit(
            "boot/cmdline.txt",
            "ip=dhcp",
            "ip=dhcp rbdroot=10.0.0.1:pi:key:pool:pi",
        )
    }),
    (Name::Secrets, &[], |p| {
        p.put("boot/userconf.txt", "pi:hash")
    }),
    (Name::Fstab, &[], |p| {
        p.edit("root/etc/fstab", "/dev/rbd0", "/dev/mmcblk0p2")
    }),
    (Name::Fstab, &[], |p| {
        p.edit(
            "root/etc/fstab",
            "nas:/srv/tftp/9ffefdef /boot/firmware nfs defaults,_netdev,nofail",
            "LABEL=system-boot /boot/firmware vfat defaults",
        )
    }),
    (Name::Fstab, &[], |p| {
        p.edit("root/etc/fstab", "9ffefdef", "12345678")
    }),
    (Name::Fstab, &[], |p| {
        p.add(
            "root/etc/fstab",
            "PARTUUID=1234-03 /data ext4 defaults 0 2\n",
        )
    }),
    (Name::Resize, &[], |p| p.enable("rpi-resizerootfs.service")),
    (Name::Resize, &[], |p| {
        p.add("root/etc/fstab", "tmpfs /data tmpfs x-systemd.growfs 0 0\n")
    }),
    (Name::Resize, &[], |p| {
        p.enable("systemd-repart.service");
        p.put(
            "root/usr/lib/repart.d/50-root.conf",
            "[Partition]\nType=root\n",
        );
    }),
    (Name::Identity, &[], |p| {
        p.put("root/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    }),
    (Name::Identity, &[], |p| {
        p.put("root/etc/ssh/ssh_host_ed25519_key", "x")
    }),
    (Name::Identity, &[], |p| {
        p.put("root/var/lib/systemd/random-seed", "x")
    }),
    (Name::Identity, &[], |p| {
        p.put("root/var/lib/dbus/machine-id", "x")
    }),
    (Name::NetworkManager, &[], |p| {
        p.enable("NetworkManager.service");
        p.put(
            "root/etc/NetworkManager/conf.d/x.conf",
            "[device]\nkeep-configuration=no\n",
        );
    }),
    (Name::SystemdNetworkd, &[], |p| {
        p.enable("systemd-networkd.service");
        p.put(
            "root/etc/systemd/network/10-eth.network",
            "[Match]\nName=e*\n[Network]\nDHCP=yes\n",
        );
    }),
    (Name::SystemdNetworkd, &[], |p| {
        p.enable("systemd-networkd.service");
        p.put(
            "root/etc/systemd/network/20.network",
            "[Match]\nType=ether\n[Network]\nKeepConfiguration=dhcp-on-stop\n",
        );
    }),
    (Name::SystemdNetworkd, &[], |p| {
        p.enable("systemd-networkd.service");
        p.enable("systemd-network-generator.service");
    }),
    (Name::Netplan, &[], |p| {
        p.put("root/usr/sbin/netplan", "");
        p.put(
            "root/etc/netplan/50-cloud-init.yaml",
            "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n",
        );
    }),
    (Name::Dhcpcd, &[], |p| {
        p.enable("dhcpcd.service");
        p.put(
            "root/etc/dhcpcd.conf",
            "hostname\ninterface eth0\npersistent\n",
        );
    }),
    (Name::Ifupdown, &[], |p| {
        p.enable("networking.service");
        p.put(
            "root/etc/network/interfaces",
            "source /etc/network/interfaces.d/*\n",
        );
        p.put(
            "root/etc/network/interfaces.d/eth0",
            "allow-hotplug eth0\niface eth0 inet dhcp\n",
        );
    }),
    (Name::CloudInit, &[], |p| {
        p.enable("cloud-init.target");
        p.put("root/etc/cloud/cloud.cfg", "users: [default]\n");
    }),
];

#[test]
fn each_check_fails_for_what_it_is_for() {
    let mut wrong = Vec::new();
    for (at, (name, with_it, change)) in BREAKS.iter().enumerate() {
        let mut published = Published::rbd();
        change(&mut published);
        let expected: BTreeSet<Name> = with_it.iter().copied().chain([*name]).collect();
        let faults = published.faults();
        if published.with(Verdict::Failed) != expected {
            wrong.push((at, expected, faults));
            continue;
        }
        assert!(
            faults
                .iter()
                .all(|fault| fault.hint.is_some() || fault.verdict == Verdict::Unknown)
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn more_that_fails_with_a_root_over_nfs() {
    let breaks: [(Name, Change); 13] = [
        (Name::Resize, |p| p.enable("rpi-resize.service")),
        (Name::Resize, |p| {
            p.put("root/etc/init.d/resize2fs_once", "");
            p.link(
                "root/etc/rc3.d/S01resize2fs_once",
                "../init.d/resize2fs_once",
            );
        }),
        (Name::Transfer, |p| {
            let file = fs::File::create(p.path("boot/start4.elf")).unwrap();
            file.set_len(100_000_000).unwrap();
        }),
        (Name::Swap, |p| {
            p.add("root/etc/fstab", "/swapfile none swap sw 0 0\n")
        }),
        (Name::Swap, |p| p.enable("dphys-swapfile.service")),
        (Name::Swap, |p| {
            p.put(
                "root/usr/lib/systemd/system-generators/rpi-swap-generator",
                "",
            )
        }),
        (Name::Resize, |p| {
            p.edit(
                "root/etc/fstab",
                "defaults 0 0",
                "defaults,x-systemd.growfs 0 0",
            )
        }),
        (Name::CmdlineRoot, |p| {
            p.edit("boot/cmdline.txt", "/srv/nfs/pi", "/srv/nfs/other")
        }),
        (Name::RootDriver, |p| p.initramfs(&["nfsv3.ko.xz"])),
        (Name::RootDriver, |p| p.initramfs(&["sunrpc.ko.xz"])),
        // The script has klibc's nfsmount.
        (Name::BootScripts, |p| {
            p.edit("boot/cmdline.txt", "vers=3", "vers=4.2");
            p.put(
                &format!("root/lib/modules/{RELEASE}/modules.builtin"),
                "macb.ko\nnfsv4.ko\n",
            );
        }),
        (Name::BootScripts, |p| p.initramfs(&["nfsmount"])),
        (Name::BootScripts, |p| {
            p.edit("boot/cmdline.txt", "console=tty1", "boot=nfsroot");
            p.initramfs(&["scripts/nfsroot"]);
        }),
    ];
    for (name, change) in breaks {
        let mut published = Published::nfs();
        change(&mut published);
        assert_eq!(
            published.with(Verdict::Failed),
            [name].into(),
            "{:#?}",
            published.faults()
        );
    }
    let mut published = Published::nfs();
    published.put(
        "root/usr/lib/systemd/system-generators/rpi-swap-generator",
        "",
    );
    published.put("root/etc/rpi/swap.conf", "[Main]\nMechanism=swapfile\n");
    published.put(
        "root/etc/rpi/swap.conf.d/90.conf",
        "[Main]\nMechanism=zram\n",
    );
    // What is masked does not run, be it a script.
    published.put("root/etc/init.d/dphys-swapfile", "");
    published.link(
        "root/etc/rc3.d/S01dphys-swapfile",
        "../init.d/dphys-swapfile",
    );
    assert_eq!(published.with(Verdict::Failed), [Name::Swap].into());
    published.link(
        "root/etc/systemd/system/dphys-swapfile.service",
        "/dev/null",
    );
    assert!(published.with(Verdict::Failed).is_empty());
}

#[test]
fn every_check_has_a_tree_that_fails_it() {
    let mut failed: BTreeSet<Name> = BREAKS.iter().map(|(name, _, _)| *name).collect();
    // They are in the test above.
    failed.extend([Name::Swap, Name::Transfer]);
    assert_eq!(failed, Name::ALL.into());
}
