//! What the image's programs take their disk and this machine for, and what of that they write into the image.

use std::fs;

use crate::{
    ended::Ended,
    image::Image,
    live::Live,
    scene::Scene,
    support::{checkout, pichroot, raw_copy, raw_image},
};

/// A kernel without drivers, so that making its initramfs takes no longer than it has to.
const INITRAMFS: &str = r#"- shell: |
    set -e
    V=6.1.0-1-arm64
    mkdir -p /lib/modules/$V
    touch /boot/vmlinuz-$V
    echo CONFIG_RD_GZIP=y >/boot/config-$V
    sed -i 's/^COMPRESS=.*/COMPRESS=gzip/' /etc/initramfs-tools/initramfs.conf
    update-initramfs -c -k $V >/root/said 2>&1 || { cat /root/said; exit 1; }
    lsinitramfs /boot/initrd.img-$V >/root/listing
"#;

fn ansible(scene: &Scene) -> Ended {
    Live::start(&mut scene.ansible()).end()
}

fn warnings(ended: &Ended) -> usize {
    let said =
        "warning: an initramfs was made with MODULES=most in place of the image's MODULES=dep";
    ended.err.matches(said).count()
}

/// Again, for a Pi whose root is Ceph's: by what the role puts there.
const FOR_CEPH: &str = r#"- copy: {src: rbdroot.conf, dest: /etc/initramfs-tools/conf.d/rbdroot.conf}
- shell: |
    set -e
    sed -i 's,^LABEL=writable.*,/dev/rbd0 / ext4 noatime\,_netdev 0 1,' /etc/fstab
    update-initramfs -u -k 6.1.0-1-arm64 >/root/said-of-ceph 2>&1
    lsinitramfs /boot/initrd.img-6.1.0-1-arm64 >/root/listing-of-ceph
"#;

/// As the stock image of Raspberry Pi OS has it; Debian's installer writes the same into a file of its own.
#[test]
fn an_initramfs_is_made_for_all_machines_and_checks_its_root() {
    let dep =
        "- copy: {dest: /etc/initramfs-tools/conf.d/driver-policy, content: \"MODULES=dep\\n\"}\n";
    let scene = Scene::with_tasks(&format!("{dep}{INITRAMFS}{FOR_CEPH}"));
    let conf = "playbooks/roles/rbd_root/files/initramfs-tools/rbdroot.conf";
    fs::copy(checkout().join(conf), scene.path("rbdroot.conf")).unwrap();
    let ended = ansible(&scene);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(warnings(&ended), 1, "{ended:?}");
    let image = Image::new(&scene.output());
    let configuration = ["driver-policy", "rbdroot.conf"];
    assert_eq!(image.list("/etc/initramfs-tools/conf.d"), configuration);
    for what in ["", "-of-ceph"] {
        let listing = image.cat(&format!("/root/listing{what}"));
        for name in [
            "conf/conf.d/driver-policy",
            "usr/sbin/fsck",
            "usr/sbin/fsck.ext4",
        ] {
            assert!(
                listing.lines().any(|line| line == name),
                "{name}: {listing}"
            );
        }
        assert!(!listing.contains("pichroot"), "{listing}");
        let said = image.cat(&format!("/root/said{what}"));
        assert!(!said.contains("Couldn't identify"), "{said}");
    }
    scene.assert_left(&["out.img", "rbdroot.conf"]);
}

/// What tools find out of the root, and of the disk that it is on.
const QUESTIONS: &str = r#"
findmnt -no SOURCE,FSTYPE,UUID,LABEL /
findmnt -no SOURCE /boot/firmware
df --output=source / | tail -n1
blkid -L writable
blkid -o value -s UUID "$(findmnt -no SOURCE /)"
blkid -l -t PARTUUID=0f2c9a51-02 -o device
lsblk -no NAME,PKNAME,FSTYPE,UUID /dev/mmcblk0p2
lsblk -lno NAME
readlink -f /dev/disk/by-label/system-boot
udevadm info -q path -n /dev/mmcblk0p2
udevadm info -q name -n /dev/disk/by-uuid/5F0C-8A2E
grep -c '^[^ ]*\(pichroot\|loop\)' /proc/mounts
"#;

const ANSWERS: &str = "\
/dev/mmcblk0p2 ext4 0d9b6f5c-3a41-4c77-9d0e-6a1e0d5b7c21 writable
/dev/mmcblk0p1
/dev/mmcblk0p2
/dev/mmcblk0p2
0d9b6f5c-3a41-4c77-9d0e-6a1e0d5b7c21
/dev/mmcblk0p2
mmcblk0p2 mmcblk0 ext4 0d9b6f5c-3a41-4c77-9d0e-6a1e0d5b7c21
mmcblk0
mmcblk0p1
mmcblk0p2
/dev/mmcblk0p1
/block/mmcblk0/mmcblk0p2
mmcblk0p1
0
";

/// Without the blanks that make columns.
fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn the_disk_has_the_name_and_the_content_that_the_machine_will_find() {
    let scene = Scene::new();
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--checksum", "none"])
        .arg(raw_image())
        .args(["--", "sh", "-c", QUESTIONS]);
    let ended = Live::start(&mut command).end();
    assert_eq!(words(&ended.out), words(ANSWERS), "{ended:?}");
    scene.assert_left(&[]);
}

#[test]
fn the_images_own_fstab_says_what_the_disk_is_called() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    let exec = |script: &str| {
        let mut command = pichroot(scene.dir());
        command
            .args(["exec", "--write", "x.img", "--checksum", "none"])
            .args(["--", "sh", "-c", script]);
        let ended = Live::start(&mut command).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    };
    exec("sed -i 's,^LABEL=writable,/dev/sda2,' /etc/fstab");
    let ask =
        "findmnt -no SOURCE /; findmnt -no SOURCE /boot/firmware; blkid -o value -s TYPE /dev/sda2";
    assert_eq!(exec(ask), "/dev/sda2\n/dev/sda1\next4\n");
    scene.assert_left(&["x.img"]);
}

/// `ansible_host` is where the image is on this machine.
#[test]
fn a_place_of_the_build_that_gets_into_the_image_fails_the_run() {
    let scene = Scene::with_tasks("- copy: {dest: /etc/x, content: \"I am {{ ansible_host }}\"}\n");
    let ended = ansible(&scene);
    ended.assert_error(5, "/etc/x in the image names /proc/fs/nfsd/");
    scene.assert_left(&[]);
}
