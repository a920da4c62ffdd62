//! The main job: the playbook that comes with pichroot, on the packed base image.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::{
    ended::Ended,
    image::{Image, Inode},
    live::Live,
    scene::Scene,
    support::{base_image, pichroot, raw_image, run},
};

pub const PASSWORD: &str = "pa$$w0rd {{ not a template }}";

/// `pichroot ansible bootstrap-ubuntu-image.yml`: the one that the program carries.
pub fn bootstrap(scene: &Scene, image: &Path, checksum: &str, more: &[&str]) -> Ended {
    let mut command = pichroot(scene.dir());
    command
        .args(["ansible", "bootstrap-ubuntu-image.yml"])
        .arg("--image")
        .arg(image)
        .args(["--checksum", checksum, "-e", "hn_hostname=mypi"])
        .args(["--user", "ubuntu", "--secret", "imhotep_pw=env:IMHOTEP_PW"])
        .args(more)
        .env("IMHOTEP_PW", PASSWORD);
    Live::start(&mut command).end()
}

/// The checksum file that the recipe leaves beside the image.
pub fn sums() -> String {
    format!(
        "file:{}",
        base_image().with_file_name("SHA256SUMS").display()
    )
}

fn sha256(path: &Path) -> String {
    run(Command::new("sha256sum").arg(path))
}

pub fn inode(image: &Image, path: &str) -> (String, u32, u32) {
    let Inode {
        mode, user, group, ..
    } = image.inode(path);
    (mode, user, group)
}

/// What holds for every machine.
pub fn assert_machine(image: &Image, scene: &Scene) {
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
