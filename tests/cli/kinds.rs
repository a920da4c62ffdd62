//! Images that are not bad input: every packing, both partition tables, roots without labels.

use std::fs;

use crate::{
    case::{Case, play},
    images::{self, MIB, Part, Root, pack},
    support::server::{Server, answer},
};

/// Prints where the shell runs.
const WHERE: [&str; 3] = ["--", "cat", "/etc/os-release"];
const HERE: &str = "PRETTY_NAME=\"Tiny Linux\"\n";

#[test]
fn every_packing_from_a_path_and_from_a_url() {
    let case = Case::new();
    images::tiny(&case.path("raw.img"));
    let raw = fs::read(case.path("raw.img")).unwrap();
    let (one, two) = raw.split_at(raw.len() / 3);
    let packed = [
        ("raw.img", raw.clone()),
        ("x.img.xz", [pack::xz(one), pack::xz(two)].concat()),
        ("x.img.gz", [pack::gzip(one), pack::gzip(two)].concat()),
        ("x.img.zst", pack::zstd(&raw)),
        (
            "x.zip",
            pack::zip(&[("README", b"read me"), ("x.img", &raw)]),
        ),
    ];
    let served = packed.to_vec();
    let server = Server::start(move |_, request| {
        let found = served
            .iter()
            .find(|(name, _)| request.path == format!("/{name}"));
        match found {
            Some((_, bytes)) => answer("200 OK", bytes),
            None => answer("404 Not Found", b""),
        }
    });
    for (name, bytes) in &packed {
        case.file(name, bytes);
        let url = format!("{}/{name}", server.url);
        for image in [name, url.as_str()] {
            let mut run = case.pichroot(["exec", "--checksum", "none", image]);
            assert_eq!(case.works(run.args(WHERE)), HERE, "{image}");
        }
    }
}

#[test]
fn a_gpt_and_logical_partitions() {
    let case = Case::new();
    let fstab = [("/etc/fstab", "/dev/mmcblk0p1 /boot vfat defaults 0 1\n")];
    let with = Root {
        files: &fstab,
        ..Root::default()
    };
    let (root, fat) = (images::root(16, &with), images::fat(2, "boot"));
    images::disk(
        &case.path("gpt.img"),
        "gpt",
        &[
            Part::new("U", 2, fat.clone()),
            Part::new("L", 16, root.clone()),
        ],
    );
    images::disk(
        &case.path("logical.img"),
        "dos",
        &[
            Part::new("c", 2, fat),
            Part::new("extended", 24, Vec::new()),
            Part::new("82", 1, Vec::new()),
            Part::new("83", 16, root),
        ],
    );
    for image in ["gpt.img", "logical.img"] {
        // Nothing has a label here. A file system of its own shows that the fstab was followed.
        let script = "cat /etc/os-release; cat /proc/mounts";
        let mut run = case.pichroot([
            "exec",
            "--checksum",
            "none",
            image,
            "--",
            "sh",
            "-c",
            script,
        ]);
        let printed = case.works(&mut run);
        assert!(printed.starts_with(HERE), "{image}: {printed}");
        assert!(printed.contains(" /boot "), "{image}: {printed}");
    }
}

#[test]
fn a_layout_in_the_configuration_is_followed() {
    let case = Case::new();
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, images::fat(2, "other")),
            Part::new("83", 16, images::root(16, &Root::default())),
            Part::new("83", 16, images::root(16, &Root::default())),
        ],
    );
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, layout: {3: /, 1: /boot}}\n",
    );
    case.file(
        "play.yml",
        play("echo on FAT > /boot/here && echo yes > /chosen"),
    );
    case.works(&mut case.ansible(&["-o", "out.img"]));
    let third = 21 * MIB;
    assert_eq!(
        images::read_file(&case.path("out.img"), third, "/chosen"),
        "yes\n"
    );
    assert_eq!(
        images::read_file(&case.path("out.img"), 4 * MIB, "/chosen"),
        ""
    );
    let out = fs::read(case.path("out.img")).unwrap();
    assert!(
        out[MIB as usize..3 * MIB as usize]
            .windows(6)
            .any(|w| w == b"on FAT")
    );
    let source = fs::read(case.path("x.img")).unwrap();
    assert!(
        !source.windows(6).any(|w| w == b"on FAT"),
        "the source was written"
    );
    // And so for the finished image, where the first root would be taken else.
    let mut exec = case.pichroot(["exec", "out.img", "--", "cat", "/chosen", "/boot/here"]);
    assert_eq!(case.works(&mut exec), "yes\non FAT\n");
    let mut kept = case.pichroot([
        "exec",
        "--write",
        "out.img",
        "--",
        "sh",
        "-c",
        ": > /chosen",
    ]);
    case.works(&mut kept);
    assert_eq!(
        images::read_file(&case.path("out.img"), third, "/chosen"),
        ""
    );
}

#[test]
fn an_image_for_this_host_needs_no_qemu() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let run = case.pichroot(["exec", "--checksum", "none", "x.img", "--", "uname", "-m"]);
    // An emulator anywhere would be under one of these names.
    let hide = "for f in /usr/bin/qemu-* /usr/libexec/qemu-binfmt/*; do \
                [ ! -e \"$f\" ] || mount --bind /dev/null \"$f\"; done";
    let machine = case.works(&mut crate::case::in_private_mounts(hide, &run));
    assert_eq!(machine.trim(), std::env::consts::ARCH);
}
