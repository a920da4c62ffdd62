//! The main job on images of other layouts and processors than the base image has. `make layouts` does it for all.

use std::process::Command;

use crate::{
    live::Live,
    scene::Scene,
    support::{checkout, pichroot, run},
};

fn images_py(arguments: &[&str]) -> String {
    let script = checkout().join("tests/layouts/images.py");
    run(Command::new(checkout().join(".venv/bin/python"))
        .arg(script)
        .args(arguments))
}

/// An image of `class` with the Debian `suite` for `architecture`, provisioned, and read from outside.
fn provisioned(class: &str, architecture: &str, suite: &str, points: &[&str]) {
    let scene = Scene::new();
    let recipe = checkout().join("tests/fixtures/debian-root.sh");
    let root = run(Command::new(recipe).args([architecture, suite]));
    let (source, output) = (scene.path("x.img"), scene.path("mypi.img"));
    let (from, to) = (source.to_str().unwrap(), output.to_str().unwrap());
    images_py(&["make", class, root.trim(), from]);

    let mut ansible = pichroot(scene.dir());
    ansible.args(["ansible", "bootstrap-ubuntu-image.yml", "--image", from]);
    ansible.args(["--checksum", "none", "-e", "hn_hostname=mypi", "-o", to]);
    let ended = Live::start(&mut ansible).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(images_py(&["read", class, to, "etc/hostname"]), "/: mypi\n");

    let script = r#"for at; do echo "$at" >"$at/where"; done"#;
    let mut exec = pichroot(scene.dir());
    exec.args(["exec", "--write", to, "--", "sh", "-c", script, "sh"]);
    run(exec.args(points));
    let read = images_py(&["read", class, to, "where"]);
    let mut found: Vec<_> = read.lines().collect();
    found.sort_unstable();
    let mut wanted: Vec<_> = points.iter().map(|at| format!("{at}: {at}")).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

/// As of Debian for virtual machines, which this machine may run without an emulator.
#[test]
fn a_cloud_image() {
    provisioned("cloud", "amd64", "bookworm", &["/", "/boot/efi"]);
}

#[test]
fn a_board_with_leading_partitions() {
    provisioned("gpt-leading", "arm64", "bookworm", &["/", "/boot"]);
}
