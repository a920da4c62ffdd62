//! Results that a file system check does not let pass.

use std::fs;

use crate::{
    case::{Case, in_private_mounts},
    images::{self, MIB, Part, Root},
};

#[test]
fn an_ext4_with_an_error_that_mounting_does_not_notice() {
    let case = Case::new();
    let damage = ["set_inode_field /etc/os-release links_count 7"];
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            debugfs: &damage,
            ..Root::default()
        },
    );
    let mut run = case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]);
    case.refused(&mut run, 4, &["x.img", "e2fsck"], "partition 2 is damaged");
}

#[test]
fn a_fat_with_lost_clusters() {
    let case = Case::new();
    let fstab = [("/etc/fstab", "LABEL=BOOT /boot vfat defaults 0 1\n")];
    let with = Root {
        files: &fstab,
        ..Root::default()
    };
    let mut fat = images::fat(2, "BOOT");
    let word = |fat: &[u8], at| usize::from(u16::from_le_bytes([fat[at], fat[at + 1]]));
    let (reserved, size) = (
        word(&fat, 14) * word(&fat, 11),
        word(&fat, 22) * word(&fat, 11),
    );
    for copy in 0..usize::from(fat[16]) {
        // A chain of FAT12 that no directory entry has.
        let entry = reserved + copy * size + 30;
        fat[entry..entry + 3].copy_from_slice(&[0xff, 0xff, 0xff]);
    }
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, fat),
            Part::new("83", 16, images::root(16, &with)),
        ],
    );
    is_repaired(&case);
}

#[test]
fn a_fat_that_was_not_unmounted() {
    let case = Case::new();
    let fstab = [("/etc/fstab", "LABEL=BOOT /boot vfat defaults 0 1\n")];
    let with = Root {
        files: &fstab,
        ..Root::default()
    };
    let mut fat = images::fat(2, "BOOT");
    // The dirty flag of FAT12 and FAT16.
    fat[0x25] |= 1;
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, fat),
            Part::new("83", 16, images::root(16, &with)),
        ],
    );
    is_repaired(&case);
}

/// As at a boot: the work image is repaired and said to be, and the result is clean.
fn is_repaired(case: &Case) {
    let mut run = case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]);
    let ended = case.run(&mut run);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let warned = "warning: the file system of partition 1 was not clean and has been repaired";
    assert!(ended.stderr.contains(warned), "{ended:#?}");
    // The final check of the run has found it clean, else there would be no output.
    assert!(case.path("out.img").exists());
}

/// Told at once, and not after half an hour of a playbook whose result is then thrown away.
#[test]
fn no_checker() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let hide = "for f in /usr/sbin/e2fsck /sbin/e2fsck /usr/local/sbin/e2fsck; do \
                [ ! -e $f ] || mount --bind /dev/null $f; done";
    let run = case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]);
    let mut run = in_private_mounts(hide, &run);
    let error = ["e2fsck is not installed"];
    let ended = case.refused(&mut run, 3, &error, "e2fsprogs");
    assert!(!ended.stdout.contains("TASK"), "{ended:#?}");
}

/// What is written in place is checked too, and the reader is told.
#[test]
fn an_image_that_is_written_in_place() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let mut run = case.pichroot([
        "exec",
        "--write",
        "x.img",
        "--",
        "sh",
        "-c",
        "echo 1 > /one; exit 9",
    ]);
    run.arg("arg0");
    assert_eq!(case.run(&mut run).code, Some(9));
    assert_eq!(
        images::read_file(&case.path("x.img"), 4 * MIB, "/one"),
        "1\n"
    );
    case.unchanged();
    let packed = images::pack::gzip(&fs::read(case.path("x.img")).unwrap());
    case.file("x.img.gz", packed);
    case.refused(
        &mut case.exec(&["--write", "x.img.gz"]),
        2,
        &["x.img.gz"],
        "unpack",
    );
    case.refused(
        &mut case.exec(&["--write", "none.img"]),
        2,
        &["none.img"],
        "",
    );
    let url = "http://127.0.0.1:1/x.img";
    case.refused(
        &mut case.exec(&["--write", url]),
        2,
        &["--write"],
        "download",
    );
    case.refused(
        &mut case.exec(&["--write", "/dev/null"]),
        2,
        &["/dev/null"],
        "",
    );
    let sum = format!("sha256:{}", "0".repeat(64));
    let mut wrong = case.exec(&["--write", "--checksum", &sum, "x.img"]);
    case.refused(&mut wrong, 4, &["x.img", "wrong checksum"], "");
}
