//! The main job for a Pi that boots from the network. Installs a package from Debian's archive.

use std::fs;

use crate::{
    bootstrap::{PASSWORD, assert_machine, bootstrap, inode, sums},
    image::Image,
    live::Live,
    scene::Scene,
    support::{base_image, pichroot},
};

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

    let fstab = image.cat("/etc/fstab");
    let points = |at: &str| {
        let of = |line: &&str| line.split_whitespace().nth(1) == Some(at);
        fstab
            .lines()
            .filter(of)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(points("/"), ["/dev/rbd0 / ext4 noatime,_netdev 0 1"]);
    let nfs = "192.0.2.5:/srv/tftp/abcdef12 /boot/firmware nfs defaults,_netdev,nofail 0 0";
    assert_eq!(points("/boot/firmware"), [nfs]);

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

    // It is a source like any other: its root and its boot files are here, whatever its fstab says.
    let mut again = pichroot(scene.dir());
    again.args(["exec", "--checksum", "none", "mypi.img", "--"]);
    let ended = Live::start(again.args(["cat", "/proc/mounts"])).end();
    assert!(ended.out.contains(" /boot/firmware "), "{ended:?}");
    assert!(!ended.err.contains("not mounted"), "{ended:?}");
    scene.assert_left(&["mypi.img"]);
}
