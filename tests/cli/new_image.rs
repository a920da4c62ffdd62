//! `image.new`: an image made of an archive or a folder.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use crate::{
    case::{Case, in_private_mounts, play},
    images::{self, MIB, Root},
    sound,
    support::run,
};

const PI: &str = "image:
  source: SOURCE
  checksum: none
  new:
    size: 64M
    partitions:
      - {size: 16M, filesystem: vfat, label: system-boot, mount: /boot/firmware, bootable: true}
      - {label: writable, mount: /}
";

/// A root in the folder `root`, with files for the boot partition.
fn tree(case: &Case) {
    let files = [
        ("/boot/firmware/config.txt", "arm_64bit=1\n"),
        ("/boot/firmware/overlays/x.dtbo", "x"),
    ];
    let with = Root {
        files: &files,
        ..Root::default()
    };
    images::tree(&case.path("root"), &with);
    fs::set_permissions(
        case.path("root/etc/os-release"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    std::os::unix::fs::chown(case.path("root/etc/os-release"), Some(1000), Some(42)).unwrap();
    let script = "import os, struct, sys; os.chdir(sys.argv[1]); \
                  os.link('etc/os-release', 'etc/same'); os.setxattr('etc/os-release', 'user.note', b'kept'); \
                  os.setxattr('bin/busybox', 'security.capability', struct.pack('<5I', 0x2000001, 1 << 13, 0, 0, 0)); \
                  os.mknod('dev/null', 0o020666, os.makedev(1, 3)); \
                  os.truncate(os.open('sparse', os.O_CREAT | os.O_RDWR), 30 << 20)";
    run(Command::new("python3")
        .args(["-c", script])
        .arg(case.path("root")));
}

fn stat(image: &Path, start: u64, path: &str) -> String {
    let device = format!("{}?offset={start}", image.display());
    run(Command::new("debugfs")
        .args(["-R", &format!("stat {path}")])
        .arg(device))
}

/// The image is what was declared, with all files of the tree.
fn is_made(image: &Path) {
    assert_eq!(image.metadata().unwrap().len(), 64 * MIB);
    let parts = sound::partitions(image);
    assert_eq!(parts.len(), 2, "{parts:?}");
    assert_eq!(
        (parts[0].start, parts[0].size, &*parts[0].kind),
        (MIB, 16 * MIB, "vfat")
    );
    assert_eq!(
        (parts[1].start, parts[1].end(), &*parts[1].kind),
        (17 * MIB, 64 * MIB, "ext4")
    );
    let root = parts[1].start;
    let release = stat(image, root, "/etc/os-release");
    assert!(
        release.contains("Mode:  0640") && release.contains("User:  1000   Group:    42"),
        "{release}"
    );
    assert!(
        release.contains("Links: 2") && release.contains("user.note"),
        "{release}"
    );
    assert!(stat(image, root, "/bin/busybox").contains("security.capability"));
    assert!(stat(image, root, "/dev/null").contains("Device major/minor number: 01:03"));
    let sparse = stat(image, root, "/sparse");
    assert!(
        sparse.contains("Size: 31457280") && sparse.contains("Blockcount: 0"),
        "{sparse}"
    );
    let fstab = images::read_file(image, root, "/etc/fstab");
    let uuid = |start: u64| {
        let offset = start.to_string();
        let said = run(Command::new("blkid")
            .args(["-p", "-o", "value", "-s", "UUID", "-O", &offset])
            .arg(image));
        said.trim().to_owned()
    };
    assert_eq!(
        fstab,
        format!(
            "UUID={}\t/\text4\tdefaults\t0\t1\nUUID={}\t/boot/firmware\tvfat\tdefaults\t0\t2\n",
            uuid(root),
            uuid(MIB)
        )
    );
    // What belongs to the boot partition is there, and nowhere else.
    let boot = format!("{}@@{MIB}", image.display());
    let listed = run(Command::new("mdir").args(["-b", "-/", "-i", &boot, "::/"]));
    assert!(
        listed.contains("config.txt") && listed.contains("overlays/x.dtbo"),
        "{listed}"
    );
    let below = stat(image, root, "/boot/firmware/config.txt");
    assert!(!below.contains("Inode:"), "{below}");
    assert_eq!(images::read_file(image, root, "/done"), "done\n");
}

#[test]
fn of_a_folder_and_of_each_archive() {
    let case = Case::new();
    tree(&case);
    let tar = |name: &str, how: &str| {
        let line = format!("tar -C root --xattrs '--xattrs-include=*' -S {how} -cf {name} .");
        run(Command::new("sh")
            .args(["-c", &line])
            .current_dir(case.folder()));
    };
    tar("x.tar", "");
    tar("x.tar.gz", "-z");
    tar("x.tar.xz", "-J");
    tar("x.tar.zst", "--zstd");
    for source in ["root", "x.tar", "x.tar.gz", "x.tar.xz", "x.tar.zst"] {
        case.file("pichroot.yml", PI.replace("SOURCE", source));
        let ended = case.run(&mut case.ansible(&["-o", "out.img"]));
        assert_eq!(ended.code, Some(0), "{source}: {ended:#?}");
        assert!(
            ended
                .stderr
                .contains("a new image of 64 MiB with 2 partitions gets the files of "),
            "{ended:#?}"
        );
        is_made(&case.path("out.img"));
        fs::remove_file(case.path("out.img")).unwrap();
        case.unchanged();
    }
}

#[test]
fn a_gpt_with_other_file_systems_and_an_fstab_of_its_own() {
    let case = Case::new();
    let files = [
        ("/etc/fstab", "LABEL=top / btrfs defaults 0 0\n"),
        ("/boot/efi/EFI/x.efi", "x"),
        ("/home/me/a", "a"),
    ];
    let with = Root {
        files: &files,
        ..Root::default()
    };
    images::tree(&case.path("root"), &with);
    case.file(
        "pichroot.yml",
        "image:\n  source: root\n  new:\n    size: 1G\n    table: gpt\n    partitions:\n\
         \x20     - {size: 40M, filesystem: vfat, mount: /boot/efi, name: efi}\n\
         \x20     - {size: 20M, filesystem: swap, label: paging}\n\
         \x20     - {size: 320M, filesystem: xfs, mount: /home}\n\
         \x20     - {start: 400M, filesystem: btrfs, label: top, mount: /, name: root}\n",
    );
    case.works(&mut case.ansible(&["-o", "out.img"]));
    let parts = sound::partitions(&case.path("out.img"));
    let kinds: Vec<_> = parts.iter().map(|part| &*part.kind).collect();
    assert_eq!(kinds, ["vfat", "swap", "xfs", "btrfs"]);
    assert_eq!(parts[3].start, 400 * MIB);
    let dump = run(Command::new("sfdisk").arg("-d").arg(case.path("out.img")));
    assert!(
        dump.contains("name=\"efi\"") && dump.contains("type=C12A7328"),
        "{dump}"
    );
    // It is opened by its own fstab.
    case.file("pichroot.yml", "");
    let mut cat = case.pichroot([
        "exec",
        "--checksum",
        "none",
        "out.img",
        "--",
        "cat",
        "/etc/fstab",
        "/done",
    ]);
    assert_eq!(
        case.works(&mut cat),
        "LABEL=top / btrfs defaults 0 0\ndone\n"
    );
}

#[test]
fn what_cannot_be_made() {
    let case = Case::new();
    tree(&case);
    let with = |text: String| {
        case.file("pichroot.yml", text);
        case.ansible(&["-o", "out.img"])
    };
    let pi = |source: &str| PI.replace("SOURCE", source);
    images::tiny(&case.path("disk.img"));
    fs::create_dir(case.path("photos")).unwrap();
    case.refused(
        &mut with(pi("disk.img")),
        4,
        &["disk.img is no tar archive"],
        "leave out image.new",
    );
    case.refused(
        &mut with(pi("photos")),
        2,
        &["photos is no root of a system"],
        "etc, usr",
    );
    run(Command::new("tar")
        .args(["-cf", "x.tar", "-C", "root", "."])
        .current_dir(case.folder()));
    let plain = "image: {source: x.tar, checksum: none}\n";
    case.refused(
        &mut with(plain.into()),
        4,
        &["x.tar is a tar archive, not a disk image"],
        "image.new",
    );
    for (from, to, error) in [
        ("size: 64M", "size: 64x", "64x is not a size"),
        ("size: 16M", "size: 99M", "there is no room for it"),
        ("label: writable", "filesystem: vfat", "/ cannot be on it"),
        (
            "partitions:",
            "bogus: 1\n    partitions:",
            "unknown key image.new.bogus",
        ),
    ] {
        case.refused(&mut with(pi("root").replace(from, to)), 2, &[error], "");
    }
    let small = pi("root").replace("64M", "20M").replace("16M", "17M");
    let error = ["root: ", "tar ended with", "No space left"];
    case.refused(&mut with(small), 4, &error, "larger in image.new");
    let label = pi("root").replace("system-boot", "much-too-long-a-label");
    let ended = case.run(&mut with(label));
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert!(
        ended.stderr.contains("mkfs.vfat") && ended.stderr.contains("hint: "),
        "{ended:#?}"
    );
    let mut grow = with(pi("root"));
    case.refused(
        grow.args(["--grow", "1G"]),
        2,
        &["grow is there beside image.new"],
        "leave it out",
    );
    let layout = pi("root").replace("  new:", "  layout: {2: /}\n  new:");
    case.refused(
        &mut with(layout),
        2,
        &["image.layout is there beside image.new"],
        "leave it out",
    );
    let hide =
        "for f in /usr/sbin/sfdisk /sbin/sfdisk; do [ ! -e $f ] || mount --bind /dev/null $f; done";
    let mut without = in_private_mounts(hide, &with(pi("root")));
    case.refused(
        &mut without,
        3,
        &["sfdisk is not installed"],
        "install fdisk",
    );
}

/// An archive that leads out of the image: nothing of this machine is touched.
#[test]
fn a_hostile_archive() {
    let case = Case::new();
    tree(&case);
    let victim = case.file("victim", "mine");
    let script = r#"
import io, sys, tarfile
out, victim = sys.argv[1:]
with tarfile.open(out, "w") as tar:
    tar.add("root", ".")
    def add(name, kind=tarfile.REGTYPE, link="", data=b""):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data)
        tar.addfile(info, io.BytesIO(data))
    add("evil", tarfile.SYMTYPE, victim)
    add("evil", data=b"theirs")
    add("../../../../../.." + victim, data=b"theirs")
    add("way", tarfile.SYMTYPE, victim.rsplit("/", 1)[0])
    add("way/victim", data=b"theirs")
    add("way/new", data=b"theirs")
"#;
    run(Command::new("python3")
        .args(["-c", script, "evil.tar"])
        .arg(&victim)
        .current_dir(case.folder()));
    let inode = victim.metadata().unwrap().ino();
    case.file("pichroot.yml", PI.replace("SOURCE", "evil.tar"));
    let ended = case.run(&mut case.ansible(&["-o", "out.img"]));
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(victim.metadata().unwrap().ino(), inode);
    assert!(!case.path("new").exists());
    case.unchanged();
}

#[test]
fn a_playbook_runs_in_it() {
    let case = Case::new();
    tree(&case);
    case.file(
        "play.yml",
        play("cat /proc/mounts; echo more >> /boot/firmware/config.txt"),
    );
    case.file(
        "pichroot.yml",
        PI.replace("SOURCE", "root")
            .replace("checksum: none", "output: out.img"),
    );
    case.works(&mut case.ansible(&[]));
    let boot = format!("{}@@{MIB}", case.path("out.img").display());
    let text = run(Command::new("mtype").args(["-i", &boot, "::config.txt"]));
    assert_eq!(text, "arm_64bit=1\nmore\n");
}
