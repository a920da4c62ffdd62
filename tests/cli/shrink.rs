//! `--shrink`: as small as the last file system allows, and sound.

use std::{fs, process::Command};

use crate::{
    case::{Case, Ended, play},
    images::{self, MIB, Part, Root},
    sound::{self, Partition, length},
    support::run,
};

fn shrink(case: &Case, more: &[&str]) -> Command {
    let mut command = case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]);
    command.args(more);
    command
}

/// The run, which works; the partitions of what it made, and what it said.
#[track_caller]
fn shrunk(case: &Case, more: &[&str]) -> (Vec<Partition>, Ended) {
    let ended = case.run(&mut shrink(case, more));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    case.unchanged();
    (sound::partitions(&case.path("out.img")), ended)
}

#[test]
fn the_image_ends_behind_what_is_in_it() {
    for label in ["dos", "gpt"] {
        let case = Case::new();
        let kinds = if label == "dos" {
            ["c", "83"]
        } else {
            ["U", "L"]
        };
        images::disk(
            &case.path("x.img"),
            label,
            &[
                Part::new(kinds[0], 2, images::fat(2, "system-boot")),
                Part::new(kinds[1], 120, images::root(120, &Root::default())),
            ],
        );
        // Noise that is gone again, and some that stays.
        let script = "dd if=/dev/urandom of=/gone bs=1M count=60; dd if=/dev/urandom of=/here bs=1M count=20; \
                      sync; >/gone";
        case.file("play.yml", play(script));
        let mut sizes = Vec::new();
        for (more, free) in [
            (&["--shrink=0"][..], 0),
            (&["--shrink=30M"], 30),
            (&["--shrink"], 64),
        ] {
            let (parts, ended) = shrunk(&case, more);
            let out = case.path("out.img");
            let root = &parts[1];
            let tail = if label == "dos" { 0 } else { 33 * 512 };
            assert_eq!(length(&out), root.end() + tail, "{label} {more:?}");
            assert!(root.size - root.fs.unwrap() < 4096, "{root:?}");
            assert!(
                ended
                    .stderr
                    .contains("==> partition 2 is as small as it can be"),
                "{ended:#?}"
            );
            assert_eq!(images::read_file(&out, root.start, "/done"), "", "{label}");
            let offset = format!("{}?offset={}", out.display(), root.start);
            let text = run(Command::new("dumpe2fs").args(["-h", &offset]));
            let blocks = text
                .lines()
                .find_map(|line| line.strip_prefix("Free blocks:"))
                .unwrap();
            let size = text
                .lines()
                .find_map(|line| line.strip_prefix("Block size:"))
                .unwrap();
            let number = |text: &str| text.trim().parse::<u64>().unwrap();
            let left = number(blocks) * number(size);
            // resize2fs leaves some by itself.
            assert!(
                left + 4 * MIB >= free * MIB && left < (free + 24) * MIB,
                "{label} {more:?}: {left}"
            );
            sizes.push(length(&out));
            // Nothing of what is gone takes room.
            let taken = std::os::unix::fs::MetadataExt::blocks(&out.metadata().unwrap()) * 512;
            assert!(taken < 40 * MIB, "{label} {more:?}: {taken}");
            fs::remove_file(out).unwrap();
        }
        assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
        assert!(sizes[2] < length(&case.path("x.img")), "{sizes:?}");
    }
}

/// Room for the playbook, and none of it is left in what is made.
#[test]
fn grown_and_made_small_again() {
    let case = Case::new();
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, images::fat(2, "BOOT")),
            Part::new("extended", 24, Vec::new()),
            Part::new("83", 4, images::no_root(4)),
            Part::new("83", 16, images::root(16, &Root::default())),
        ],
    );
    case.file(
        "play.yml",
        play("dd if=/dev/urandom of=/big bs=1M count=100; sync; rm -f /big || >/big"),
    );
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, grow: +200M}\nfinish: {shrink: 5M}\n",
    );
    let (parts, _) = shrunk(&case, &[]);
    let last = parts.last().unwrap();
    assert_eq!(last.number, 6);
    assert_eq!(length(&case.path("out.img")), last.end());
    assert!(last.size < 30 * MIB, "{last:?}");
}

#[test]
fn a_btrfs() {
    let case = Case::new();
    let root = images::btrfs(400, |top| images::tree(top, &Root::default()));
    images::disk(&case.path("x.img"), "gpt", &[Part::new("L", 400, root)]);
    let (parts, _) = shrunk(&case, &["--shrink=0"]);
    // Linux resizes none to less.
    assert_eq!(parts[0].fs, Some(256 * MIB));
    assert_eq!(parts[0].size, 256 * MIB);
}

#[test]
fn what_cannot_be_made_small() {
    let case = Case::new();
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("83", 16, images::root(16, &Root::default())),
            Part::new("c", 2, images::fat(2, "DATA")),
        ],
    );
    let error = ["x.img cannot be made smaller: its last partition, 2, holds a FAT"];
    let ended = case.refused(
        &mut shrink(&case, &["--shrink"]),
        2,
        &error,
        "leave out --shrink",
    );
    assert!(!ended.stdout.contains("TASK"), "{ended:#?}");
    case.refused(
        &mut shrink(&case, &["--shrink=x"]),
        2,
        &["shrink: x is not a size"],
        "200M",
    );
    let tree = [
        "--image",
        "x.img",
        "--checksum",
        "none",
        "-o",
        "out/",
        "--shrink",
    ];
    case.refused(
        &mut case.ansible(&tree),
        2,
        &["no output is an image"],
        "--shrink",
    );
    case.file("pichroot.yml", "finish: {shrink: [1]}\n");
    case.refused(
        &mut case.ansible(&[]),
        2,
        &["shrink has to be true, false"],
        "",
    );
}
