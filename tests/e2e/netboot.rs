//! The main job for a Pi that boots from the network. Installs a package from Debian's archive.

use std::fs;

use crate::{
    bootstrap::{PASSWORD, assert_machine, bootstrap, inode, sums},
    image::Image,
    live::Live,
    scene::Scene,
    support::{base_image, pichroot},
};

/// The lines of fstab for a mount point.
fn mounts_at(image: &Image, at: &str) -> Vec<String> {
    let fstab = image.cat("/etc/fstab");
    let of = |line: &&str| line.split_whitespace().nth(1) == Some(at);
    fstab.lines().filter(of).map(str::to_owned).collect()
}

const KEY: &str = "AQCxCephKeyOfTheTest0123456789abcdefgh==";

#[test]
fn a_pi_that_boots_from_the_network() {
    let scene = Scene::new();
    let mine = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let key = mine.path().join("key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let secret = format!("hn_ceph_key=file:{}", key.display());
    let settings = [
        "-e",
        "hn_netboot=true",
        "-e",
        "hn_host_id=10000000abcdef12",
        "-e",
        "hn_ceph_monitors=192.0.2.11,192.0.2.12",
        "-e",
        "hn_nfs_server=192.0.2.5",
        "--secret",
        &secret,
    ];
    let ended = bootstrap(&scene, base_image(), &sums(), &settings);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let image = Image::new(&scene.path("mypi.img"));
    assert_machine(&image, &scene);

    let cmdline = image.boot_file("cmdline.txt");
    assert_eq!(cmdline.trim_end().lines().count(), 1, "{cmdline:?}");
    let words: Vec<_> = cmdline.split_whitespace().collect();
    let roots: Vec<_> = words.iter().filter(|w| w.starts_with("root=")).collect();
    assert_eq!(roots, [&"root=/dev/rbd0"], "{cmdline:?}");
    assert!(
        words.contains(&"boot=rbd") && words.contains(&"ip=dhcp"),
        "{cmdline:?}"
    );

    assert_eq!(
        mounts_at(&image, "/"),
        ["/dev/rbd0 / ext4 noatime,_netdev 0 1"]
    );
    let nfs = "192.0.2.5:/srv/tftp/abcdef12 /boot/firmware nfs defaults,_netdev,nofail 0 0";
    assert_eq!(mounts_at(&image, "/boot/firmware"), [nfs]);
    let networkd = image.cat("/etc/systemd/network/00-netboot.network");
    assert!(networkd.contains("\nKeepConfiguration=yes\n"), "{networkd}");

    for (path, mode) in [
        ("/etc/initramfs-tools/hooks/rbdroot", "0755"),
        ("/etc/initramfs-tools/scripts/rbd", "0644"),
        ("/usr/local/sbin/rbdroot-map", "0755"),
        ("/etc/rbdroot.key", "0600"),
        ("/usr/sbin/mount.nfs", "04755"),
    ] {
        assert_eq!(inode(&image, path), (mode.into(), 0, 0), "{path}");
    }
    // An initramfs would have it, too; this image has no kernel, and so none.
    assert_eq!(image.cat("/etc/rbdroot.key"), format!("{KEY}\n"));
    let there = (image.offset("/etc/rbdroot.key"), KEY.to_owned());
    assert_eq!(
        image.find(&[KEY, PASSWORD]),
        [there],
        "secrets in the image"
    );

    assert_checks(&scene, &settings[..8]);

    // It is a source like any other: its root and its boot files are here, whatever its fstab says.
    let mut again = pichroot(scene.dir());
    again.args(["exec", "--checksum", "none", "mypi.img", "--"]);
    let ended = Live::start(again.args(["cat", "/proc/mounts"])).end();
    assert!(ended.out.contains(" /boot/firmware "), "{ended:?}");
    assert!(!ended.err.contains("not mounted"), "{ended:?}");
    scene.assert_left(&["mypi.img"]);
}

/// `pichroot publish --check` finds nothing wrong with what the playbook has set up. The image has no kernel and no firmware,
/// so other checks fail.
fn assert_checks(scene: &Scene, settings: &[&str]) {
    let mut check = pichroot(scene.dir());
    check
        .args(["publish", "--check", "mypi.img", "--checksum", "none"])
        .args(["--tftp", ".", "-e", "hn_hostname=mypi"])
        .args(settings);
    let ended = Live::start(&mut check).end();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    for name in [
        "directory-name",
        "cmdline",
        "cmdline-root",
        "cmdline-ip",
        "cmdline-card",
        "cmdline-first-boot",
        "secrets",
        "fstab",
        "swap",
        "resize",
        "identity",
        "network-manager",
        "systemd-networkd",
        "netplan",
        "dhcpcd",
        "ifupdown",
        "cloud-init",
    ] {
        let passed = format!("==> netboot check {name}: ");
        assert!(ended.err.contains(&passed), "{name}: {}", ended.err);
        let failed = format!("warning: netboot check {name}: ");
        assert!(!ended.err.contains(&failed), "{name}: {}", ended.err);
    }
}

/// What other images have that a machine without a disk must not do, and managers of its network.
const OTHERS: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: '/etc/{{ item }}', state: directory}
      loop: [NetworkManager/conf.d, network/interfaces.d, cloud/cloud.cfg.d, rpi]
    - ansible.builtin.copy: {dest: '{{ item.dest }}', content: '{{ item.content }}', mode: '0755'}
      loop:
        - {dest: /usr/sbin/NetworkManager, content: ''}
        - {dest: /etc/dhcpcd.conf, content: "hostname\ninterface wlan0\nmetric 1\n"}
        - {dest: /etc/network/interfaces.d/wired, content: "auto eth0\niface eth0 inet dhcp\niface wlan0 inet dhcp\n"}
        - {dest: /etc/rpi/swap.conf, content: ''}
        - {dest: /etc/init.d/resize2fs_once, content: ''}
    - ansible.builtin.lineinfile: {path: /etc/fstab, line: /swapfile none swap sw 0 0}
"#;

#[test]
fn a_pi_with_its_root_on_an_nfs_server() {
    let scene = Scene::new();
    fs::write(scene.path("others.yml"), OTHERS).unwrap();
    let mut others = pichroot(scene.dir());
    others
        .args([
            "ansible",
            "others.yml",
            "--checksum",
            "none",
            "-o",
            "others.img",
        ])
        .args(["-e", "hn_hostname=mypi", "--image"])
        .arg(base_image());
    let ended = Live::start(&mut others).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let settings = [
        "-e",
        "hn_netboot=true hn_root=nfs hn_host_id=abcdef12 hn_root_failure=reboot",
        "-e",
        "hn_nfs_server=192.0.2.5",
    ];
    let ended = bootstrap(&scene, &scene.path("others.img"), "none", &settings);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let image = Image::new(&scene.path("mypi.img"));
    assert_machine(&image, &scene);

    let cmdline = image.boot_file("cmdline.txt");
    let ours = "boot=nfsroot root=/dev/nfs nfsroot=192.0.2.5:/srv/nfs/mypi,vers=4.2,retry=5 rw rootdelay=300 \
                rd.retry=300 ip=dhcp rd.neednet=1 panic=30 rd.shell=0 rd.emergency=reboot\n";
    assert!(cmdline.ends_with(ours), "{cmdline:?}");
    assert_eq!(
        mounts_at(&image, "/"),
        ["192.0.2.5:/srv/nfs/mypi / nfs vers=4.2 0 0"]
    );
    assert_eq!(mounts_at(&image, "none"), Vec::<String>::new());
    assert!(!image.exists("/etc/rbdroot.key"));
    for (path, part) in [
        (
            "/etc/NetworkManager/conf.d/90-netboot.conf",
            "unmanaged-devices=interface-name:eth*;interface-name:en*\n",
        ),
        (
            "/etc/dhcpcd.conf",
            "denyinterfaces eth* en*\nhostname\ninterface wlan0\n",
        ),
        (
            "/etc/network/interfaces.d/wired",
            "iface eth0 inet manual\niface wlan0 inet dhcp\n",
        ),
        (
            "/etc/cloud/cloud.cfg.d/99-netboot-network.cfg",
            "config: disabled\n",
        ),
        (
            "/etc/cloud/cloud.cfg.d/99-netboot-disk.cfg",
            "growpart: {mode: \"off\"}\n",
        ),
        ("/etc/rpi/swap.conf.d/90-netboot.conf", "Mechanism=zram\n"),
    ] {
        let text = image.cat(path);
        assert!(text.contains(part), "{path}: {text}");
    }
    assert_eq!(
        image.link("/etc/systemd/system/resize2fs_once.service"),
        "/dev/null"
    );

    assert_checks(&scene, &settings);
    let again = bootstrap(
        &scene,
        &scene.path("mypi.img"),
        "none",
        &[&settings[..], &["-o", "again.img"]].concat(),
    );
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("changed=0 "), "{again:?}");
}
