//! A tree that boots, to be broken.

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::PathBuf};

use tempfile::TempDir;

use super::{
    super::*,
    RELEASE,
    made::{arm64, cpio, gzip},
};
use crate::{emulation::arch::Arch, sys::inroot::Root};

/// What is published, and its root.
pub struct Published {
    dir: TempDir,
    pub wanted: Wanted,
}

impl Published {
    /// For all boards, made by initramfs-tools.
    pub fn good(root: RootOn) -> Self {
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

    pub fn rbd() -> Self {
        Self::good(RootOn::Rbd { partition: None })
    }

    pub fn nfs() -> Self {
        Self::good(RootOn::Nfs {
            server: "10.0.0.1".into(),
            path: "/srv/nfs/pi".into(),
        })
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn put_bytes(&mut self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn put(&mut self, path: &str, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    pub fn remove(&mut self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.put(path, &text.replace(from, to));
    }

    pub fn add(&mut self, path: &str, text: &str) {
        let before = fs::read_to_string(self.path(path)).unwrap();
        self.put(path, &format!("{before}{text}"));
    }

    pub fn link(&mut self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// A unit that a boot starts.
    pub fn enable(&mut self, unit: &str) {
        self.put(
            &format!("root/usr/lib/systemd/system/{unit}"),
            "[Service]\n",
        );
        let link = format!("root/etc/systemd/system/multi-user.target.wants/{unit}");
        self.link(&link, &format!("/usr/lib/systemd/system/{unit}"));
    }

    /// The initramfs, but for the files of which the names end like this.
    pub fn initramfs(&mut self, without: &[&str]) {
        let others = [
            "init",
            "scripts/rbd",
            "scripts/nfs",
            "scripts/nfsroot",
            "usr/sbin/rbdroot-map",
            "usr/bin/nfsmount",
        ];
        let early = cpio(&[("early", "")]);
        let main = archive(&others, ".ko.xz", without);
        let packed = zstd::encode_all(&main[..], 1).unwrap();
        self.put_bytes("boot/initrd.img", &[early, packed].concat());
    }

    /// Made by dracut.
    pub fn dracut(&mut self) {
        let others = [
            "usr/lib/dracut/hooks/initqueue/online/50-map-root.sh",
            "usr/lib/dracut/hooks/cmdline/90-parse-nfsroot.sh",
            "usr/sbin/rbdroot-map",
            "usr/sbin/mount.nfs",
        ];
        self.put_bytes("boot/initrd.img", &gzip(&archive(&others, ".ko", &[])));
    }

    /// What is not fine, for people who mend a test.
    pub fn faults(&self) -> Vec<Finding> {
        let mut findings = self.check();
        findings.retain(|finding| finding.verdict != Verdict::Passed);
        findings
    }

    pub fn check(&self) -> Vec<Finding> {
        let boot = Root::open(&self.path("boot")).unwrap();
        let root = Root::open(&self.path("root")).unwrap();
        check(&boot, Some(&root), &self.wanted, &[])
    }

    /// The checks with such findings.
    pub fn with(&self, verdict: Verdict) -> BTreeSet<Name> {
        let found = self
            .check()
            .into_iter()
            .filter(|finding| finding.verdict == verdict);
        found.map(|finding| finding.check).collect()
    }
}

/// All modules that a Pi may need, our configuration, and `others`.
fn archive(others: &[&str], ending: &str, without: &[&str]) -> Vec<u8> {
    let module = |name: &str| format!("usr/lib/modules/{RELEASE}/kernel/{name}{ending}");
    let modules = [
        "smsc95xx", "lan78xx", "genet", "rbd", "libceph", "nfs", "nfsv3", "sunrpc",
    ]
    .map(module);
    let plain = modules.iter().map(String::as_str);
    let plain = plain.chain(others.iter().copied()).map(|name| (name, "x"));
    let ours = [
        ("etc/rbdroot.conf", "image=pi\n"),
        ("etc/rbdroot.key", "secret\n"),
    ];
    let mut files: Vec<(&str, &str)> = plain.chain(ours).collect();
    files.retain(|(name, _)| !without.iter().any(|end| name.ends_with(end)));
    cpio(&files)
}
