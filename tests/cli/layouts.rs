//! Which partition is mounted where.

use std::{fs, process::Command};

use crate::{
    case::{Case, Ended},
    images::{self, MIB, Part, Root},
    support::run,
};

/// Where the second partition of [`with_fstab`] begins.
const ROOT: u64 = 4 * MIB;
const MOUNTS: [&str; 3] = ["--", "cat", "/proc/mounts"];

/// `x.img`: boot files, a root with this fstab, and `more`.
fn with_fstab(case: &Case, fstab: &str, more: Vec<Part>) {
    let files = [("/etc/fstab", fstab)];
    let with = Root {
        files: &files,
        ..Root::default()
    };
    let mut parts = vec![
        Part::new("c", 2, images::fat_with(2, "boot", &["config.txt"])),
        Part::new("83", 16, images::root(16, &with)),
    ];
    parts.extend(more);
    images::disk(&case.path("x.img"), "dos", &parts);
}

/// Runs in x.img; what is mounted, as the image sees it, is its output.
#[track_caller]
fn opened(case: &Case, arguments: &[&str]) -> Ended {
    let mut command = case.pichroot(["exec", "-v", "--checksum", "none", "x.img"]);
    let ended = case.run(command.args(arguments).args(MOUNTS));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended
}

impl Ended {
    fn mounts(&self, at: &str) -> bool {
        self.stdout.contains(&format!(" {at} "))
    }

    fn warnings(&self) -> Vec<&str> {
        let lines = self.stderr.lines();
        let warnings = lines.filter_map(|line| line.strip_prefix("warning: "));
        let expected = |line: &&str| !line.ends_with("without checking it");
        warnings.filter(expected).collect()
    }
}

#[test]
fn a_mount_point_that_is_not_there_is_made() {
    let case = Case::new();
    with_fstab(&case, "/dev/mmcblk0p1 /srv/a/b vfat defaults 0 2\n", vec![]);
    let write = ["--write", "x.img", "--", "touch", "/srv/a/b/new"];
    case.works(case.pichroot(["exec"]).args(write));
    let stat = |path: &str| {
        let name = format!("{}?offset={ROOT}", case.path("x.img").display());
        run(Command::new("debugfs")
            .args(["-R", &format!("stat {path}")])
            .arg(name))
    };
    assert!(stat("/srv/a/b").contains("Type: directory    Mode:  0755"));
    // What was written is on the other partition.
    assert!(!stat("/srv/a/b/new").contains("Type:"));
    // And so where pichroot.yml says it.
    case.file(
        "pichroot.yml",
        "image: {layout: {2: /, 1: /no/such/folder}}\n",
    );
    assert!(opened(&case, &[]).mounts("/no/such/folder"));
}

#[test]
fn nofail_and_noauto_are_honoured_and_the_line_is_named() {
    let case = Case::new();
    let fstab = "# what is where\n\n\
        LABEL=gone /a ext4 nofail 0 0\n\
        /dev/mmcblk0p3 /b ext4 nofail 0 0\n\
        /dev/mmcblk0p1 /c vfat noauto 0 0\n\
        LABEL=gone /d ext4 defaults 0 0\n";
    // The super block is there, and nothing behind it.
    let mut damaged = vec![0; 8 * MIB as usize];
    damaged[1024..2048].copy_from_slice(&images::no_root(8)[1024..2048]);
    with_fstab(&case, fstab, vec![Part::new("83", 8, damaged)]);
    let ended = opened(&case, &[]);
    let (broken, gone) = match ended.warnings()[..] {
        [broken, gone] => (broken, gone),
        _ => panic!("{ended:#?}"),
    };
    assert!(
        broken.contains("fstab line 4: ") && broken.contains("nofail"),
        "{broken}"
    );
    assert!(gone.contains("fstab line 6, LABEL=gone on /d"), "{gone}");
    assert!(
        ["/a", "/b", "/c", "/d"].iter().all(|at| !ended.mounts(at)),
        "{ended:#?}"
    );
    let left = "partition 1 is not mounted: it holds a FAT file system; fstab line 5: noauto";
    assert!(ended.stderr.contains(left), "{ended:#?}");
    // Without nofail the same is an error.
    with_fstab(&case, "\n/dev/mmcblk0p1 /bin/sh vfat defaults\n", vec![]);
    let error = ["fstab line 2: ", "/bin/sh"];
    case.refused(
        &mut case.exec(&["--checksum", "none", "x.img"]),
        4,
        &error,
        "fstab",
    );
}

/// The playbook that comes along makes such images.
#[test]
fn an_image_made_for_netboot_has_its_boot_partition() {
    let case = Case::new();
    let fstab =
        "/dev/rbd0 / ext4 defaults 0 1\n192.0.2.1:/srv/tftp/1 /boot/firmware nfs defaults 0 0\n";
    with_fstab(&case, fstab, vec![]);
    let ended = opened(&case, &[]);
    assert!(ended.mounts("/boot/firmware"), "{ended:#?}");
    assert!(ended.warnings().is_empty(), "{ended:#?}");
}

#[test]
fn a_boot_partition_without_a_line_is_where_it_belongs() {
    let case = Case::new();
    let disk = |boot: Part, files: &[(&str, &str)]| {
        let with = Root {
            files,
            ..Root::default()
        };
        let root = Part::new("L", 16, images::root(16, &with));
        images::disk(&case.path("x.img"), "gpt", &[boot, root]);
    };
    let esp = || Part::new("U", 2, images::fat_with(2, "x", &["EFI/"]));
    let pi = || {
        Part::new(
            "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
            2,
            images::fat_with(2, "x", &["config.txt"]),
        )
    };
    // The root has an empty /boot.
    with_fstab(&case, "", vec![]);
    assert!(opened(&case, &[]).mounts("/boot"));
    disk(esp(), &[]);
    assert!(opened(&case, &[]).mounts("/boot"));
    // With kernels in it there is no place, and it is not silent about that.
    disk(esp(), &[("/boot/vmlinuz", "a kernel")]);
    let ended = opened(&case, &[]);
    assert!(!ended.mounts("/boot"), "{ended:#?}");
    let [warning] = ended.warnings()[..] else {
        panic!("{ended:#?}");
    };
    assert!(
        warning.contains("written to /boot stays in the root"),
        "{warning}"
    );
    // One of data is none of these.
    disk(
        Part {
            content: images::fat(2, "x"),
            ..pi()
        },
        &[],
    );
    let ended = opened(&case, &[]);
    assert!(
        !ended.mounts("/boot") && ended.warnings().is_empty(),
        "{ended:#?}"
    );
}

#[test]
fn a_file_system_from_end_to_end_is_the_disk() {
    let case = Case::new();
    let files = [("/etc/fstab", "/dev/sdb / ext4 defaults 0 1\n")];
    let with = Root {
        files: &files,
        mke2fs: &["-L", "whole"],
        ..Root::default()
    };
    case.file("x.img", images::root(16, &with));
    let script =
        "cat /proc/mounts /proc/partitions; ls /dev/disk/*; cat /run/udev/data/*; ls /sys/block/*";
    let exec = ["exec", "-v", "--checksum", "none", "x.img", "--"];
    let ended = case.run(case.pichroot(exec).args(["sh", "-c", script]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for told in [
        "/dev/sdb / ext4 ",
        "      16384 sdb\n",
        "/dev/disk/by-label:\nwhole\n",
        "E:ID_FS_TYPE=ext4\n",
    ] {
        assert!(ended.stdout.contains(told), "{told}: {ended:#?}");
    }
    assert!(!ended.stdout.contains("sdb1"), "{ended:#?}");
}

#[test]
fn a_btrfs_has_its_root_in_a_subvolume() {
    let case = Case::new();
    let subvolume = |what: &[&str]| run(Command::new("btrfs").arg("subvolume").args(what));
    let make = |fstab: &str, default: bool| {
        let files = [("/etc/fstab", fstab), ("/home/in-root", "")];
        let with = Root {
            files: &files,
            ..Root::default()
        };
        let content = images::btrfs(128, |top| {
            for name in ["@", "@home"] {
                subvolume(&["create", top.join(name).to_str().unwrap()]);
            }
            images::tree(&top.join("@"), &with);
            fs::write(top.join("@home/apart"), "").unwrap();
            if default {
                subvolume(&["set-default", top.join("@").to_str().unwrap()]);
            }
        });
        images::disk(&case.path("x.img"), "gpt", &[Part::new("L", 128, content)]);
    };
    let home = |expected: &str| {
        let mut exec = case.pichroot(["exec", "--checksum", "none", "x.img", "--", "ls", "/home"]);
        assert_eq!(case.works(&mut exec), expected);
    };
    let lines =
        "/dev/sda1 / btrfs subvol=@ 0 0\n/dev/sda1 /home btrfs subvol=/@home,compress=zstd 0 0\n";
    make(lines, false);
    home("apart\n");
    // What is written in either is there afterwards.
    let write = "echo 1 >/kept; echo 2 >/home/kept";
    case.works(&mut case.pichroot(["exec", "--write", "x.img", "--", "sh", "-c", write]));
    let mut read = case.pichroot(["exec", "--checksum", "none", "x.img", "--"]);
    assert_eq!(
        case.works(read.args(["cat", "/kept", "/home/kept"])),
        "1\n2\n"
    );
    make("", true);
    home("in-root\n");
    make("", false);
    home("in-root\n");
    case.file(
        "pichroot.yml",
        "image: {layout: {1: {path: /, subvolume: '@'}}}\n",
    );
    home("in-root\n");
}

#[test]
fn what_is_no_file_system_for_a_root_is_named() {
    let case = Case::new();
    let content = |at: usize, magic: &[u8]| {
        let mut bytes = vec![0; 2 * MIB as usize];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        bytes
    };
    let mut lvm = content(512, b"LABELONE");
    lvm[512 + 24..512 + 32].copy_from_slice(b"LVM2 001");
    let parts = [
        Part::new("83", 2, content(0, b"LUKS\xba\xbe\0\x02")),
        Part::new("8e", 2, lvm),
        Part::new("83", 2, content(0, b"hsqs")),
        Part::new("83", 8, images::no_root(8)),
    ];
    images::disk(&case.path("x.img"), "dos", &parts);
    let error = [
        "partition 1 holds LUKS, which is encrypted",
        "partition 2 holds a part of an LVM volume group",
        "partition 3 holds a squashfs, which cannot be changed",
        "partition 4: no /etc, /usr and /bin/sh",
    ];
    let mut exec = case.exec(&["--checksum", "none", "x.img"]);
    case.refused(&mut exec, 4, &error, "layout");
    let mut exec = case.exec(&["--checksum", "none", "x.img"]);
    case.file("pichroot.yml", "image: {layout: {1: /}}\n");
    case.refused(&mut exec, 2, &error[..0], "blkid");
    // As of a CD that is for sticks, too: a table that alone would look damaged.
    images::disk(&case.path("cd.img"), "dos", &[Part::new("0", 2, vec![])]);
    let mut cd = fs::read(case.path("cd.img")).unwrap();
    cd[32768..][..7].copy_from_slice(b"\x01CD001\x01");
    case.file("cd.img", cd);
    let error = ["cd.img is an ISO"];
    case.refused(
        &mut case.exec(&["--checksum", "none", "cd.img"]),
        4,
        &error,
        "SD cards",
    );
}
