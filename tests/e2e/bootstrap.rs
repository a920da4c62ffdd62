//! The main job: the playbook that comes with pichroot, on the packed base image.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::{
    image::{Image, Inode},
    live::{Ended, Live},
    scene::Scene,
    support::{base_image, checkout, pichroot, raw_image, run},
};

const PASSWORD: &str = "pa$$w0rd {{ not a template }}";
const KEY: &str = "AQCxCephKeyOfTheTest0123456789abcdefgh==";

/// `pichroot ansible bootstrap-ubuntu-image.yml`, found as one of those that come along.
fn bootstrap(scene: &Scene, image: &Path, checksum: &str, more: &[&str]) -> Ended {
    let mut command = pichroot(scene.dir());
    command
        .arg("ansible")
        .arg(checkout().join("playbooks/bootstrap-ubuntu-image.yml"))
        .arg("--image")
        .arg(image)
        .args(["--checksum", checksum, "-e", "hn_hostname=mypi"])
        .args(["--user", "ubuntu", "--secret", "imhotep_pw=env:IMHOTEP_PW"])
        .args(more)
        .env("IMHOTEP_PW", PASSWORD);
    Live::start(&mut command).end()
}

/// The checksum file that the recipe leaves beside the image.
fn sums() -> String {
    format!(
        "file:{}",
        base_image().with_file_name("SHA256SUMS").display()
    )
}

fn sha256(path: &Path) -> String {
    run(Command::new("sha256sum").arg(path))
}

fn inode(image: &Image, path: &str) -> (String, u32, u32) {
    let Inode {
        mode, user, group, ..
    } = image.inode(path);
    (mode, user, group)
}

/// What holds for every machine.
fn assert_machine(image: &Image, scene: &Scene) {
    assert_eq!(image.cat("/etc/hostname"), "mypi\n");
    assert!(image.cat("/etc/hosts").contains("\n127.0.1.1 mypi\n"));
    let line = |file: &str| {
        let text = image.cat(file);
        let line = text.lines().find(|l| l.starts_with("imhotep:"));
        line.expect("a line for imhotep").to_owned()
    };
    assert!(line("/etc/passwd").ends_with(":/home/imhotep:/bin/bash"));
    // yescrypt, the default of Debian 12.
    assert!(line("/etc/shadow").starts_with("imhotep:$y$"));
    let rule = "imhotep ALL=(ALL:ALL) ALL\n";
    assert_eq!(image.cat("/etc/sudoers.d/50-admin-user"), rule);
    assert_eq!(
        inode(image, "/etc/sudoers.d/50-admin-user"),
        ("0440".into(), 0, 0)
    );
    assert_eq!(image.cat("/etc/machine-id"), "");
    let keys = image.list("/etc/ssh");
    assert!(
        !keys.iter().any(|name| name.starts_with("ssh_host_")),
        "{keys:?}"
    );
    assert_nothing_of_the_build(image);
    image.assert_clean(scene.dir());
}

/// What the build needs is gone, and what it covered is as it was.
fn assert_nothing_of_the_build(image: &Image) {
    let base = Image::new(&raw_image());
    for gone in ["/usr/sbin/policy-rc.d", "/root/.ansible", "/.ansible"] {
        assert!(!image.exists(gone), "{gone}");
    }
    for empty in ["/tmp", "/run", "/dev", "/proc", "/sys"] {
        assert_eq!(image.list(empty), base.list(empty), "{empty}");
        assert_eq!(image.inode(empty), base.inode(empty), "{empty}");
    }
    assert_eq!(
        image.link("/etc/resolv.conf"),
        base.link("/etc/resolv.conf")
    );
    assert_eq!(image.link("/var/run"), "/run");
}

#[test]
fn a_local_disk_pi_and_a_second_run_that_changes_nothing() {
    let scene = Scene::new();
    let before = sha256(base_image());
    let ended = bootstrap(&scene, base_image(), &sums(), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Named after the machine.
    let output = scene.path("mypi.img");
    assert_eq!(
        fs::metadata(&output).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(sha256(base_image()), before);
    let (image, base) = (Image::new(&output), Image::new(&raw_image()));
    assert_machine(&image, &scene);
    // It boots as it did.
    assert_eq!(
        image.boot_file("cmdline.txt"),
        base.boot_file("cmdline.txt")
    );
    assert_eq!(image.boot_file("config.txt"), base.boot_file("config.txt"));
    assert_eq!(image.cat("/etc/fstab"), base.cat("/etc/fstab"));
    // No package was installed, so even the time stamps there are the old ones.
    assert_eq!(image.inode("/usr/sbin"), base.inode("/usr/sbin"));
    assert!(
        image.find(&[PASSWORD]).is_empty(),
        "the password is in the image"
    );
    scene.assert_left(&["mypi.img"]);

    let again = bootstrap(&scene, &output, "none", &["-o", "again.img"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("changed=0 "), "{again:?}");
    scene.assert_left(&["again.img", "mypi.img"]);
}

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
        ("/usr/sbin/mount.nfs", "4755"),
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
    scene.assert_left(&["mypi.img"]);
}
