//! A real image that becomes larger, and its files in another form.

use std::process::Command;

use crate::{
    image::{BOOT, Image, ROOT},
    live::Live,
    scene::Scene,
    support::{raw_image, run},
};

/// More than the base image has room for, by a program of the image.
#[test]
fn a_grown_image_takes_more() {
    let scene = Scene::with_tasks(
        "- command: fallocate -l 2g /var/big\n- command: df --output=target,size -B1M /\n  register: df\n- debug: var=df.stdout\n",
    );
    let had = raw_image().metadata().unwrap().len();
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.err.contains("image.grow"), "{ended:?}");
    scene.assert_left(&[]);

    let ended = Live::start(scene.ansible().args(["--grow", "+2G"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img"]);
    let out = scene.output();
    assert_eq!(out.metadata().unwrap().len(), had + (2 << 30));
    let dump = run(Command::new("sfdisk").arg("-d").arg(&out));
    let sectors = (had + (2 << 30) - ROOT) / 512;
    assert!(
        dump.contains(&format!("size={sectors:>12}, type=83")),
        "{dump}"
    );
    assert!(
        dump.contains(&format!("start={:>12}", BOOT / 512)),
        "{dump}"
    );
    let image = Image::new(&out);
    image.assert_clean(scene.dir());
    assert!(image.exists("/var/big"));
}

/// All files of the image are in the archive, and a system runs from the folder.
#[test]
fn an_archive_and_a_folder_of_the_files() {
    let scene = Scene::with_tasks("- copy: {dest: /etc/motd, content: hello}\n");
    let outputs = ["-o", "out.tar.zst", "-o", "tree/"];
    let ended = Live::start(scene.ansible().args(outputs)).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img", "out.tar.zst", "tree"]);
    let listed = run(Command::new("tar")
        .args(["--zstd", "-tvf", "out.tar.zst", "--numeric-owner"])
        .current_dir(scene.dir()));
    let has = |start: &str, end: &str| {
        let mut lines = listed.lines();
        lines.any(|line| line.starts_with(start) && line.ends_with(end))
    };
    assert!(has("-rwsr-xr-x 0/0 ", "./usr/bin/sudo"), "{listed}");
    assert!(has("-rw-r----- 0/42 ", "./etc/shadow"));
    assert!(has("lrwxrwxrwx 0/0 ", "./bin -> usr/bin"));
    assert!(has("-rwx", "./boot/firmware/cmdline.txt"));
    let differ = "tar --zstd -df out.tar.zst --numeric-owner --xattrs --acls -C tree";
    run(Command::new("sh")
        .args(["-c", differ])
        .current_dir(scene.dir()));
    assert_eq!(
        std::fs::read_to_string(scene.path("tree/etc/motd")).unwrap(),
        "hello"
    );
}

/// What the manifest has of a real system: its packages, and what its first boot does.
#[test]
fn a_manifest_of_a_real_image() {
    let scene = Scene::with_tasks("- name: Reboot\n  command: reboot\n");
    let ended = Live::start(scene.ansible().args(["--with", "manifest"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img", "out.manifest.json"]);
    let text = std::fs::read_to_string(scene.path("out.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let packages = manifest["packages"].as_array().unwrap();
    let image = Image::new(&scene.output());
    let status = image.cat("/var/lib/dpkg/status");
    let known = status
        .lines()
        .filter(|line| line.ends_with(" ok installed"));
    assert_eq!(packages.len(), known.count());
    let dpkg = packages.iter().find(|one| one["name"] == "dpkg").unwrap();
    assert_eq!(dpkg["architecture"], "arm64", "{dpkg}");
    assert!(
        dpkg["version"].as_str().unwrap().starts_with("1."),
        "{dpkg}"
    );
    let put_off = manifest["first_boot"]["put_off"].as_array().unwrap();
    let whats: Vec<_> = put_off
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert_eq!(whats, ["reboot"], "{text}");
    let task = put_off[0]["task"].as_str().unwrap();
    assert!(task.starts_with("Reboot, play.yml:"), "{text}");
    assert_eq!(put_off[0]["by"], "boot", "{text}");
    assert_eq!(manifest["layout"][0]["mounted"], "/boot/firmware", "{text}");
}
