//! Outputs in every format, read by other programs.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    case::{Case, in_private_mounts, play, quoted},
    images::{self, MIB, Part, Root},
    sound,
    support::run,
};

const SOURCE: [&str; 4] = ["--image", "x.img", "--checksum", "none"];

/// An image with all that a file can have, and a boot partition.
fn image(case: &Case) {
    let top = case.path("top");
    let fstab = [("/etc/fstab", "LABEL=BOOT /boot vfat defaults 0 1\n")];
    let with = Root {
        files: &fstab,
        ..Root::default()
    };
    images::tree(&top, &with);
    let script = r#"
import os, struct, sys
top = sys.argv[1]
at = lambda name: os.path.join(top, name)
open(at("etc/secret"), "w").write("secret\n")
os.chown(at("etc/secret"), 1000, 42)
os.chmod(at("etc/secret"), 0o4640)
os.utime(at("etc/secret"), (1e9, 1e9))
os.link(at("etc/secret"), at("etc/same"))
os.setxattr(at("etc/secret"), "user.note", b"kept")
# cap_net_raw+ep, revision 2.
os.setxattr(at("bin/busybox"), "security.capability", struct.pack("<5I", 0x2000001, 1 << 13, 0, 0, 0))
# u::rw- u:7:rw- g::r-- m::rw- o::---
entries = [(1, 6, 2**32 - 1), (2, 6, 7), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
open(at("etc/acl"), "w").write("acl\n")
os.setxattr(at("etc/acl"), "system.posix_acl_access", acl)
os.truncate(os.open(at("etc/sparse"), os.O_CREAT | os.O_RDWR), 3 << 20)
os.mkfifo(at("etc/fifo"))
os.mknod(at("etc/device"), 0o600 | 0o020000, os.makedev(1, 3))
os.symlink("/etc/secret", at("etc/link"))
"#;
    run(Command::new("python3").args(["-c", script]).arg(&top));
    let ext4 = images::ext4(&top, 20, &Root::default(), case.folder());
    fs::remove_dir_all(&top).unwrap();
    fs::remove_file(case.path("fs")).unwrap();
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, images::fat_with(2, "BOOT", &["config.txt"])),
            Part::new("83", 20, ext4),
        ],
    );
}

/// What `program` prints, with the file as its input.
fn unpacked(program: &str, args: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(args)
        .stdin(fs::File::open(file).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {}", file.display());
    output.stdout
}

#[test]
fn one_run_makes_all_of_them() {
    let case = Case::new();
    image(&case);
    case.file(
        "play.yml",
        play("echo new > /etc/new; echo boot > /boot/new.txt"),
    );
    let names = [
        "a.img",
        "b.img",
        "a.img.xz",
        "a.img.zst",
        "a.img.gz",
        "a.qcow2",
        "a.vmdk",
        "a.vdi",
        "a.vhdx",
        "a.tar",
        "a.tar.xz",
        "a.tar.zst",
        "a.tgz",
        "tree/",
    ];
    let mut command = case.ansible(&SOURCE);
    for name in names {
        command.args(["-o", name]);
    }
    case.works(&mut command);
    let mut there: Vec<_> = fs::read_dir(case.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let mut wanted = names.map(|name| name.trim_end_matches('/')).to_vec();
    wanted.extend(["play.yml", "x.img"]);
    wanted.sort_unstable();
    assert_eq!(there, wanted);

    let plain = fs::read(case.path("a.img")).unwrap();
    sound::partitions(&case.path("a.img"));
    for (name, program) in [
        ("a.img.xz", "xz"),
        ("a.img.zst", "zstd"),
        ("a.img.gz", "gzip"),
    ] {
        assert!(
            unpacked(program, &["-dc"], &case.path(name)) == plain,
            "{name}"
        );
    }
    assert!(fs::read(case.path("b.img")).unwrap() == plain);
    assert!(case.path("b.img").metadata().unwrap().blocks() * 512 < 12 * MIB);
    for name in ["a.qcow2", "a.vmdk", "a.vdi", "a.vhdx"] {
        let format = name.trim_start_matches("a.");
        run(Command::new("qemu-img")
            .args(["compare", "-f", "raw", "-F", format])
            .args([case.path("a.img"), case.path(name)]));
    }
    for name in names {
        let meta = case.path(name).metadata().unwrap();
        if meta.is_file() {
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    // All archives are of one stream.
    let tar = fs::read(case.path("a.tar")).unwrap();
    for (name, program) in [("a.tar.xz", "xz"), ("a.tar.zst", "zstd"), ("a.tgz", "gzip")] {
        assert!(
            unpacked(program, &["-dc"], &case.path(name)) == tar,
            "{name}"
        );
    }
    let other = case.path("other");
    fs::create_dir(&other).unwrap();
    run(Command::new("tar")
        .args([
            "-xpf",
            "a.tar",
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            "--numeric-owner",
            "-C",
            "other",
        ])
        .current_dir(case.folder()));
    for tree in [case.path("tree"), other] {
        is_the_image(&tree);
    }
}

/// The folder has everything that [`image`] and the playbook put into the image.
fn is_the_image(tree: &Path) {
    let text = |name: &str| fs::read_to_string(tree.join(name)).unwrap();
    assert_eq!(text("etc/new"), "new\n");
    assert_eq!(text("boot/new.txt"), "boot\n");
    assert!(tree.join("boot/config.txt").is_file());
    assert_eq!(text("etc/secret"), "secret\n");
    let meta = |name: &str| fs::symlink_metadata(tree.join(name)).unwrap();
    let secret = meta("etc/secret");
    assert_eq!(
        (secret.mode() & 0o7777, secret.uid(), secret.gid()),
        (0o4640, 1000, 42)
    );
    assert_eq!(
        (secret.mtime(), secret.nlink(), secret.ino()),
        (1_000_000_000, 2, meta("etc/same").ino())
    );
    assert_eq!(meta("etc/sparse").len(), 3 << 20);
    assert_eq!(meta("etc/sparse").blocks(), 0);
    assert_eq!(meta("etc/device").rdev(), nix::sys::stat::makedev(1, 3));
    assert!(meta("etc/fifo").mode() & 0o170000 == 0o010000);
    assert_eq!(
        fs::read_link(tree.join("etc/link")).unwrap(),
        Path::new("/etc/secret")
    );
    assert_eq!(meta("").mode() & 0o777, 0o755);
    assert!(!tree.join("lost+found").exists());
    let script = "import os, sys; print(*(f'{n}={os.getxattr(sys.argv[1], n, follow_symlinks=False).hex()}' \
                  for n in sorted(os.listxattr(sys.argv[1]))))";
    let attributes = |name: &str| {
        run(Command::new("python3")
            .args(["-c", script])
            .arg(tree.join(name)))
    };
    assert_eq!(attributes("etc/secret"), "user.note=6b657074\n");
    assert!(attributes("bin/busybox").starts_with("security.capability=0100000200200000"));
    assert!(attributes("etc/acl").contains("system.posix_acl_access=02000000010006"));
}

#[test]
fn pichroot_yml_has_one_or_a_list() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, output: ['{hn_hostname}.img.gz', 'd/{hn_hostname}/']}\n",
    );
    fs::create_dir(case.path("d")).unwrap();
    case.works(&mut case.ansible(&["-e", "hn_hostname=mypi"]));
    assert!(case.path("mypi.img.gz").is_file() && case.path("d/mypi/bin/busybox").is_file());
    assert!(!case.path("mypi.img").exists());
    // Both would be replaced, and only where that is asked for.
    let again = ["-e", "hn_hostname=mypi"];
    case.refused(
        &mut case.ansible(&again),
        2,
        &["mypi.img.gz exists"],
        "--force",
    );
    case.file("d/mypi/etc/mine", "");
    case.works(case.ansible(&again).arg("--force"));
    assert!(!case.path("d/mypi/etc/mine").exists());
    case.refused(
        &mut case.ansible(&["-o", "a.img", "-o", "a.img"]),
        2,
        &["a.img is there twice"],
        "leave one of them out",
    );
    case.file("pichroot.yml", "image: {source: x.img, output: {a: b}}\n");
    case.refused(
        &mut case.ansible(&[]),
        2,
        &["output has to be a path, or a list"],
        "",
    );
}

/// The first that is made is large enough for the disk to be full at the others.
#[test]
#[ignore = "long: make test-all"]
fn a_full_disk_leaves_nothing() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let folder = case.path("out");
    fs::create_dir(&folder).unwrap();
    for output in [
        "out.img.xz",
        "out.img.zst",
        "out.img.gz",
        "out.qcow2",
        "out.vdi",
        "out.tar.gz",
        "out.tar",
        "out/",
    ] {
        let play_of = play("dd if=/dev/urandom of=/data bs=1M count=4");
        case.file("play.yml", play_of);
        let mut inner = case.ansible(&SOURCE);
        inner.args(["-o", &format!("out/{output}")]);
        // Enough for the work image, and less than twice as much.
        let setup = format!(
            "mount -t tmpfs -o size=9m tmpfs {0}; \"$@\" && code=0 || code=$?; echo left: $(ls -A {0}); exit $code",
            quoted(&folder)
        );
        let ended = case.run(&mut in_private_mounts(&setup, &inner));
        assert_eq!(ended.code, Some(3), "{output}: {ended:#?}");
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:#?}");
        assert!(
            ended.stderr.contains("No space left"),
            "{output}: {ended:#?}"
        );
        assert!(
            ended.stderr.contains("hint: free some space"),
            "{output}: {ended:#?}"
        );
        assert!(ended.stdout.ends_with("left:\n"), "{output}: {ended:#?}");
        case.unchanged();
    }
}

/// The play's image is kept, as a plain one, and the run goes on from it.
#[test]
fn a_failed_run_with_a_packed_output() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file("play.yml", play("echo 1 >> /count; exit 1"));
    let mut keep = case.ansible(&SOURCE);
    keep.args(["-o", "out.img.xz", "--on-error", "keep"]);
    let ended = case.run(&mut keep);
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    assert!(ended.stderr.contains("out.img.failed"), "{ended:#?}");
    assert_eq!(
        images::read_file(&case.path("out.img.failed"), 4 * MIB, "/count"),
        "1\n"
    );
}

#[test]
fn without_the_program_it_is_told() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let hide = "mount --bind /dev/null \"$(command -v qemu-img)\"";
    let mut inner = case.ansible(&SOURCE);
    inner.args(["-o", "out.qcow2"]);
    let error = ["qemu-img is not installed"];
    let ended = case.refused(
        &mut in_private_mounts(hide, &inner),
        3,
        &error,
        "qemu-utils",
    );
    // Before anything is done.
    assert!(!ended.stdout.contains("TASK"), "{ended:#?}");
}
