//! Results that a file system check does not let pass.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use crate::{
    case::{Case, in_private_mounts, play},
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

/// fsck.vfat prints four lines for each name that another file has, and looks through all of them again.
#[test]
fn a_fat_that_is_made_to_keep_the_checker_busy() {
    let case = Case::new();
    let fstab = [("/etc/fstab", "LABEL=BOOT /boot vfat defaults 0 1\n")];
    let with = Root {
        files: &fstab,
        ..Root::default()
    };
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 32, images::fat_of_equal_names(32, "BOOT", 3000)),
            Part::new("83", 16, images::root(16, &with)),
        ],
    );
    let error = [
        "x.img",
        "fsck.vfat -a of partition 1 printed more than 128 KiB, so it was ended",
    ];
    let mut run = case.exec(&["--checksum", "none", "x.img"]);
    case.refused(&mut run, 4, &error, "do not trust this image");
}

/// Who reads a stranger's file system has no rights and nothing of the host but that.
#[test]
fn the_checker_has_no_rights() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let script = "#!/bin/sh\necho user $(id -u) $(id -g) $(id -G)\ngrep CapEff /proc/self/status\n\
                  head -c 1081 $2 | tail -c 1 | od -An -tx1\necho \"$@\"\nexit 4\n";
    let program = case.file("bin/e2fsck", script);
    for path in [case.folder(), program.parent().unwrap(), &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let mut run = case.exec(&["--checksum", "none", "x.img"]);
    let path = std::env::var("PATH").unwrap();
    run.env("PATH", format!("{}:{path}", case.path("bin").display()));
    // The last is of the magic number of ext4: the descriptor is the partition.
    let error = [
        "user 65534 65534 65534",
        "0000000000000000",
        " 53\n",
        "-p partition 2",
    ];
    case.refused(&mut run, 4, &error, "repair a copy of the image");
}

/// The kernel meets it when it is to write, and the disk of this machine has nothing to do with it.
#[test]
fn an_ext4_that_is_damaged_and_not_the_disk() {
    let case = Case::new();
    let mut ext4 = images::root(16, &Root::default());
    let word = |at: usize| u32::from_le_bytes(ext4[at..at + 4].try_into().unwrap()) as usize;
    let block = 1024 << word(1024 + 24);
    // The first group's descriptor begins with the place of its bitmap, whose checksum is then wrong.
    let bitmap = word((word(1024 + 20) + 1) * block) * block;
    ext4[bitmap + block / 4] ^= 1;
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, images::fat(2, "BOOT")),
            Part::new("83", 16, ext4),
        ],
    );
    for script in [
        "dd if=/dev/zero of=/data bs=64k count=10; true",
        "dd if=/dev/zero of=/data bs=64k count=10; sync",
    ] {
        case.file("play.yml", play(script));
        let mut run = case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]);
        let error = ["x.img", "the file system of partition 2 is damaged"];
        let ended = case.refused(&mut run, 4, &error, "repair a copy");
        assert!(!ended.stderr.contains("dmesg"), "{ended:#?}");
    }
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
