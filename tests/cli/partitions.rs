//! Disks without a usable layout.

use std::fs;

use crate::{
    case::Case,
    images::{self, MIB, Part, Root},
};

#[test]
fn bad_tables_and_disks_without_a_root() {
    let case = Case::new();
    let root = images::root(16, &Root::default());
    case.file("whole.img", images::fat(2, "boot"));
    case.file("data-whole.img", images::no_root(8));
    case.file("blank.img", vec![0; 4 * MIB as usize]);
    images::disk(&case.path("empty.img"), "dos", &[]);
    images::disk(
        &case.path("fat.img"),
        "dos",
        &[Part::new("c", 2, images::fat(2, "boot"))],
    );
    images::disk(
        &case.path("data.img"),
        "dos",
        &[Part::new("83", 8, images::no_root(8))],
    );
    images::disk(
        &case.path("swap.img"),
        "gpt",
        &[Part::new("S", 2, Vec::new())],
    );
    images::tiny(&case.path("cut.img"));
    let cut = fs::OpenOptions::new()
        .write(true)
        .open(case.path("cut.img"))
        .unwrap();
    cut.set_len(12 * MIB).unwrap();
    // The super block is there, and nothing behind it.
    let mut damaged = vec![0; 16 * MIB as usize];
    damaged[1024..2048].copy_from_slice(&root[1024..2048]);
    images::disk(
        &case.path("damaged.img"),
        "dos",
        &[Part::new("83", 16, damaged)],
    );
    // As xorriso makes it: the only partition is all of it.
    let mut iso = vec![0; 4 * MIB as usize];
    iso[16 * 2048 + 1..][..5].copy_from_slice(b"CD001");
    case.file("plain.iso", &iso);
    iso[446..462].copy_from_slice(&[0x80, 0, 1, 0, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0]);
    iso[510..512].copy_from_slice(b"\x55\xAA");
    case.file("hybrid.iso", &iso);
    for (name, error, hint) in [
        ("plain.iso", "is an ISO", "SD cards"),
        ("hybrid.iso", "is an ISO", "SD cards"),
        (
            "whole.img",
            "it is a FAT file system from end to end",
            "partition table",
        ),
        (
            "data-whole.img",
            "the whole image: no /etc, /usr and /bin/sh",
            "layout",
        ),
        ("blank.img", "has no partition table", "partition table"),
        ("empty.img", "has an empty partition table", "SD card"),
        ("cut.img", "partition 2 of", "download the image again"),
        ("fat.img", "partition 1 holds a FAT file system", "layout"),
        (
            "data.img",
            "partition 1: no /etc, /usr and /bin/sh",
            "layout",
        ),
        ("swap.img", "partition 1 holds nothing known", "layout"),
        ("damaged.img", "partition 1: ", "repair a copy"),
    ] {
        let error = [name, error];
        case.refused(
            &mut case.exec(&["--checksum", "none", name]),
            4,
            &error,
            hint,
        );
        let arguments = ["--image", name, "--checksum", "none", "-o", "out.img"];
        case.refused(&mut case.ansible(&arguments), 4, &error, hint);
    }
}

#[test]
fn a_layout_that_does_not_fit_the_image() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    for (layout, code, error) in [
        ("{7: /}", 2, "no partition 7"),
        ("{1: /boot}", 2, "has no partition for /"),
        ("{2: /, 1: ../boot}", 2, "../boot"),
        ("{1: /}", 2, "it holds a FAT file system"),
    ] {
        let text = format!("image: {{source: x.img, checksum: none, layout: {layout}}}\n");
        case.file("pichroot.yml", text);
        case.refused(&mut case.ansible(&["-o", "out.img"]), code, &[error], "");
    }
}
