//! Trees that boot, and each of the ways to break them.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use tempfile::TempDir;

use super::{
    cpio::tests::cpio,
    kernel::tests::{arm64, gzip, zimage},
    *,
};
use crate::sys::inroot::Root;

const RELEASE: &str = "6.12.47+rpt-rpi-v8";

/// What is published, and its root.
struct Published {
    dir: TempDir,
    wanted: Wanted,
}

impl Published {
    /// For all boards, made by initramfs-tools.
    fn good(root: RootOn) -> Self {
        let mut published = Published {
            dir: tempfile::tempdir().unwrap(),
            wanted: Wanted {
                directory: Some("9ffefdef".into()),
                by_mac: false,
                boards: Vec::new(),
                architecture: Arch::Aarch64,
                root,
            },
        };
        let config = "arm_64bit=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\ndtoverlay=vc4-kms-v3d,cma-128\n\
                      [cm4]\ndtoverlay=lost\n[all]\n";
        published.put("boot/config.txt", config);
        for name in [
            "bootcode.bin",
            "start.elf",
            "fixup.dat",
            "start4.elf",
            "fixup4.dat",
            "bcm2710-rpi-3-b.dtb",
            "bcm2711-rpi-4-b.dtb",
            "bcm2712-rpi-5-b.dtb",
            "overlays/vc4-kms-v3d.dtbo",
            "overlays/README",
        ] {
            published.put(&format!("boot/{name}"), name);
        }
        published.put_bytes("boot/vmlinuz", &gzip(&arm64(RELEASE)));
        let (line, fstab) = match &published.wanted.root {
            RootOn::Nfs { server, path } => (
                format!("console=tty1 root=/dev/nfs nfsroot={server}:{path},vers=3 rw ip=dhcp\n"),
                format!("{server}:{path} / nfs defaults 0 0\n"),
            ),
            _ => (
                "console=tty1 boot=rbd root=/dev/rbd0 ip=dhcp rd.neednet=1\n".into(),
                "/dev/rbd0 / ext4 noatime,_netdev 0 1\n".into(),
            ),
        };
        published.put("boot/cmdline.txt", &line);
        let boot = "nas:/srv/tftp/9ffefdef /boot/firmware nfs defaults,_netdev,nofail 0 0\n";
        published.put("root/etc/fstab", &format!("{fstab}{boot}"));
        published.put("root/etc/rbdroot.conf", "image=pi\n");
        published.put("root/etc/rbdroot.key", "secret\n");
        published.put("root/etc/machine-id", "");
        let modules = format!("root/lib/modules/{RELEASE}");
        published.put(
            &format!("{modules}/modules.builtin"),
            "kernel/drivers/net/ethernet/cadence/macb.ko\n",
        );
        let needs = "kernel/rbd.ko.xz: kernel/libceph.ko.xz\nkernel/nfsv3.ko.xz: kernel/nfs.ko.xz kernel/sunrpc.ko.xz\n";
        published.put(&format!("{modules}/modules.dep"), needs);
        published.initramfs(&[]);
        published
    }

    fn rbd() -> Self {
        Self::good(RootOn::Rbd { partition: None })
    }

    fn nfs() -> Self {
        Self::good(RootOn::Nfs {
            server: "10.0.0.1".into(),
            path: "/srv/nfs/pi".into(),
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn put_bytes(&mut self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn put(&mut self, path: &str, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    fn remove(&mut self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.put(path, &text.replace(from, to));
    }

    fn add(&mut self, path: &str, text: &str) {
        let before = fs::read_to_string(self.path(path)).unwrap();
        self.put(path, &format!("{before}{text}"));
    }

    fn link(&mut self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// A unit that a boot starts.
    fn enable(&mut self, unit: &str) {
        self.put(
            &format!("root/usr/lib/systemd/system/{unit}"),
            "[Service]\n",
        );
        let link = format!("root/etc/systemd/system/multi-user.target.wants/{unit}");
        self.link(&link, &format!("/usr/lib/systemd/system/{unit}"));
    }

    /// The initramfs, but for the files of which the names end like this.
    fn initramfs(&mut self, without: &[&str]) {
        let module = |name: &str| format!("usr/lib/modules/{RELEASE}/kernel/{name}.ko.xz");
        let modules = [
            "smsc95xx", "lan78xx", "bcmgenet", "rbd", "libceph", "nfs", "nfsv3", "sunrpc",
        ]
        .map(module);
        let others = [
            "init",
            "scripts/rbd",
            "scripts/nfs",
            "usr/sbin/rbdroot-map",
            "usr/bin/nfsmount",
        ];
        let plain = modules
            .iter()
            .map(String::as_str)
            .chain(others)
            .map(|name| (name, "x"));
        let ours = [
            ("etc/rbdroot.conf", "image=pi\n"),
            ("etc/rbdroot.key", "secret\n"),
        ];
        let mut files: Vec<(&str, &str)> = plain.chain(ours).collect();
        files.retain(|(name, _)| !without.iter().any(|end| name.ends_with(end)));
        let packed = zstd::encode_all(&cpio(&files)[..], 1).unwrap();
        self.put_bytes(
            "boot/initrd.img",
            &[cpio(&[("early", "")]), packed].concat(),
        );
    }

    /// Made by dracut.
    fn dracut(&mut self) {
        let module = |name: &str| format!("lib/modules/{RELEASE}/kernel/{name}.ko");
        let modules = [
            "smsc95xx", "lan78xx", "bcmgenet", "rbd", "libceph", "nfs", "nfsv3", "sunrpc",
        ]
        .map(module);
        let others = [
            "usr/lib/dracut/hooks/initqueue/online/50-map-root.sh",
            "usr/lib/dracut/hooks/cmdline/90-parse-nfsroot.sh",
            "usr/sbin/rbdroot-map",
            "usr/sbin/mount.nfs",
        ];
        let plain = modules
            .iter()
            .map(String::as_str)
            .chain(others)
            .map(|name| (name, "x"));
        let ours = [
            ("etc/rbdroot.conf", "image=pi\n"),
            ("etc/rbdroot.key", "secret\n"),
        ];
        let files: Vec<(&str, &str)> = plain.chain(ours).collect();
        self.put_bytes("boot/initrd.img", &gzip(&cpio(&files)));
    }

    fn check(&self) -> Vec<Finding> {
        let boot = Root::open(&self.path("boot")).unwrap();
        let root = Root::open(&self.path("root")).unwrap();
        check(&boot, Some(&root), &self.wanted, &[])
    }

    /// The checks with such findings.
    fn with(&self, verdict: Verdict) -> BTreeSet<Name> {
        let found = self
            .check()
            .into_iter()
            .filter(|finding| finding.verdict == verdict);
        found.map(|finding| finding.check).collect()
    }
}

/// Something that is done to a tree.
type Change = fn(&mut Published);

#[test]
fn what_boots_passes_all_checks() {
    let variants: [(&str, fn() -> Published, Change); 10] = [
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
                let names = "smsc95xx.ko\nlan78xx.ko\nbcmgenet.ko\nmacb.ko\nnfs.ko\nnfsv3.ko\n";
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

/// Each breaks a good tree so that one check fails; some make others fail with it.
const BREAKS: &[(Name, &[Name], Change)] = &[
    (Name::DirectoryName, &[], |p| {
        p.wanted.directory = Some("9FFEFDEF".into())
    }),
    (Name::DirectoryName, &[], |p| {
        p.wanted.directory = Some("100000009ffefdef".into())
    }),
    (Name::DirectoryName, &[], |p| p.wanted.by_mac = true),
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
    (Name::Config, &[Name::Kernel, Name::Initramfs], |p| {
        p.remove("boot/config.txt")
    }),
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
    (Name::NetworkDriver, &[], |p| {
        p.initramfs(&["bcmgenet.ko.xz"])
    }),
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
    (Name::Resize, &[], |p| p.enable("rpi-resize.service")),
    (Name::Resize, &[], |p| {
        p.put("root/etc/init.d/resize2fs_once", "");
        p.link(
            "root/etc/rc3.d/S01resize2fs_once",
            "../init.d/resize2fs_once",
        );
    }),
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
    for (at, (name, with_it, change)) in BREAKS.iter().enumerate() {
        let mut published = Published::rbd();
        change(&mut published);
        let expected: BTreeSet<Name> = with_it.iter().copied().chain([*name]).collect();
        let findings = published.check();
        assert_eq!(
            published.with(Verdict::Failed),
            expected,
            "{at}: {findings:#?}"
        );
        for finding in findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Failed)
        {
            assert!(finding.hint.is_some(), "{finding:?}");
        }
    }
}

/// Over NFS there is more that a root must not do.
#[test]
fn a_root_over_nfs_has_no_swap_file_and_does_not_grow() {
    let breaks: [(Name, Change); 8] = [
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
        (Name::BootScripts, |p| p.initramfs(&["nfsmount"])),
    ];
    for (name, change) in breaks {
        let mut published = Published::nfs();
        change(&mut published);
        assert_eq!(
            published.with(Verdict::Failed),
            [name].into(),
            "{:#?}",
            published.check()
        );
    }
    let mut published = Published::nfs();
    published.put(
        "root/usr/lib/systemd/system-generators/rpi-swap-generator",
        "",
    );
    published.put("root/etc/rpi/swap.conf", "[Main]\nMechanism=zram\n");
    assert!(published.with(Verdict::Failed).is_empty());
}

#[test]
fn every_check_but_that_of_the_time_has_a_tree_that_fails_it() {
    let mut failed: BTreeSet<Name> = BREAKS.iter().map(|(name, _, _)| *name).collect();
    // They are of NFS, or only tell.
    failed.extend([Name::Swap, Name::RootDriver, Name::Transfer]);
    assert_eq!(failed, Name::ALL.into());
}

/// What sets up networks passes where it is told to leave the one of the root alone.
#[test]
fn what_sets_up_networks_may_be_told_to_leave_one_alone() {
    let networkd = |text: &'static str| {
        move |p: &mut Published| {
            p.enable("systemd-networkd.service");
            p.put("root/etc/systemd/network/10-eth.network", text);
        }
    };
    let changes: Vec<Box<dyn Fn(&mut Published)>> = vec![
        Box::new(|p| p.enable("NetworkManager.service")),
        Box::new(|p| {
            p.enable("NetworkManager.service");
            let text =
                "[device]\nkeep-configuration=no\n[keyfile]\nunmanaged-devices=interface-name:e*\n";
            p.put("root/etc/NetworkManager/NetworkManager.conf", text);
        }),
        Box::new(|p| {
            p.enable("NetworkManager.service");
            let text = "[device-wifi]\nmatch-device=type:wifi\nkeep-configuration=no\n";
            p.put("root/etc/NetworkManager/NetworkManager.conf", text);
        }),
        Box::new(networkd(
            "[Match]\nName=e*\n[Network]\nDHCP=yes\nKeepConfiguration=yes\n",
        )),
        Box::new(networkd("[Match]\nName=eth0 end0\n[Link]\nUnmanaged=yes\n")),
        Box::new(networkd("[Match]\nName=wlan0\n[Network]\nDHCP=yes\n")),
        Box::new(networkd("[Match]\nName=!e*\n[Network]\nDHCP=yes\n")),
        Box::new(|p| {
            networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(p);
            p.put(
                "root/etc/systemd/network/10-eth.network.d/keep.conf",
                "[Network]\nKeepConfiguration=true\n",
            );
        }),
        Box::new(|p| {
            networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(p);
            p.link(
                "root/etc/systemd/system/systemd-networkd.service",
                "/dev/null",
            );
        }),
        Box::new(|p| {
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  ethernets:\n    all: {match: {name: \"e*\"}, dhcp4: true}\n",
            );
            p.put(
                "root/etc/netplan/60.yaml",
                "network:\n  ethernets:\n    all: {critical: true}\n",
            );
        }),
        Box::new(|p| {
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  ethernets:\n    eth0: {dhcp4: true}\n",
            );
            // The playbook's own.
            p.put(
                "root/etc/systemd/network/00-netboot.network",
                "[Match]\nName=eth* en*\n[Network]\nKeepConfiguration=yes\n",
            );
        }),
        Box::new(|p| {
            p.put("root/usr/sbin/netplan", "");
            p.put(
                "root/etc/netplan/50.yaml",
                "network:\n  renderer: NetworkManager\n  ethernets:\n    eth0: {dhcp4: true}\n",
            );
        }),
        Box::new(|p| {
            p.enable("dhcpcd.service");
            p.put("root/etc/dhcpcd.conf", "persistent\ninterface wlan0\n");
        }),
        Box::new(|p| {
            p.enable("dhcpcd.service");
            p.put("root/etc/dhcpcd.conf", "denyinterfaces wlan0 e*0 # all\n");
        }),
        Box::new(|p| {
            p.enable("networking.service");
            p.put(
                "root/etc/network/interfaces",
                "auto lo eth0\niface lo inet loopback\niface eth0 inet manual\n",
            );
        }),
        Box::new(|p| {
            p.enable("networking.service");
            p.put(
                "root/etc/network/interfaces",
                "auto eth0\nno-auto-down eth0\niface eth0 inet dhcp\n",
            );
        }),
        Box::new(|p| {
            p.enable("cloud-init.target");
            p.put("root/etc/cloud/cloud.cfg", "users: [default]\n");
            p.put(
                "root/etc/cloud/cloud.cfg.d/99-netboot.cfg",
                "network: {config: disabled}\n",
            );
        }),
        Box::new(|p| {
            p.enable("cloud-init.target");
            p.edit(
                "boot/cmdline.txt",
                "ip=dhcp",
                "ip=dhcp network-config=disabled",
            );
        }),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut published = Published::rbd();
        change(&mut published);
        let findings = published.check();
        assert!(
            findings
                .iter()
                .all(|finding| finding.verdict == Verdict::Passed),
            "{at}: {findings:#?}"
        );
    }
    // By itself, systemd-networkd keeps the interface of a root on a network file system.
    let mut published = Published::nfs();
    networkd("[Match]\nName=e*\n[Network]\nDHCP=yes\n")(&mut published);
    assert!(published.with(Verdict::Failed).is_empty());
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
    assert!(unknown.contains(&Name::DirectoryName) && unknown.contains(&Name::CmdlineRoot));
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
    published.initramfs(&["bcmgenet.ko.xz", "lan78xx.ko.xz", "smsc95xx.ko.xz"]);
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
