//! Disk images of virtual machines, as sources and as outputs.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::{
    case::{Case, in_private_mounts, play, quoted},
    images::{self, MIB, Part, Root},
    sound,
    support::run,
};

fn qemu_img(case: &Case, args: &[&str]) -> String {
    run(Command::new("qemu-img")
        .args(args)
        .current_dir(case.folder()))
}

#[test]
fn in_and_out_in_each_format() {
    let case = Case::new();
    images::disk(
        &case.path("raw.img"),
        "gpt",
        &[
            Part::new("U", 2, images::fat_with(2, "ESP", &["EFI/"])),
            Part::new("L", 16, images::root(16, &Root::default())),
        ],
    );
    case.file("play.yml", play("echo new > /new"));
    for format in ["qcow2", "vmdk", "vdi", "vhdx"] {
        // Whatever it is called: clouds call their qcow2 .img.
        qemu_img(
            &case,
            &[
                "convert",
                "-f",
                "raw",
                "-O",
                format,
                "raw.img",
                "source.img",
            ],
        );
        let before = fs::read(case.path("source.img")).unwrap();
        let made = format!("out.{format}");
        let mut command =
            case.ansible(&["--image", "source.img", "--checksum", "none", "-o", &made]);
        case.works(&mut command);
        assert!(
            fs::read(case.path("source.img")).unwrap() == before,
            "{format}"
        );
        // qemu-img checks all but VMDK, whose format has nothing to check.
        if format != "vmdk" {
            qemu_img(&case, &["check", "-f", format, &made]);
        }
        qemu_img(
            &case,
            &["convert", "-f", format, "-O", "raw", &made, "back.img"],
        );
        let parts = sound::partitions(&case.path("back.img"));
        assert_eq!(
            images::read_file(&case.path("back.img"), parts[1].start, "/new"),
            "new\n"
        );
        for name in ["source.img", "back.img", &made] {
            fs::remove_file(case.path(name)).unwrap();
        }
    }
}

#[test]
fn one_that_only_its_owner_may_read() {
    let case = Case::new();
    images::tiny(&case.path("raw.img"));
    qemu_img(
        &case,
        &[
            "convert", "-f", "raw", "-O", "qcow2", "-c", "raw.img", "x.qcow2",
        ],
    );
    fs::set_permissions(case.path("x.qcow2"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut cat = case.pichroot([
        "exec",
        "--checksum",
        "none",
        "x.qcow2",
        "--",
        "cat",
        "/etc/os-release",
    ]);
    assert!(case.works(&mut cat).contains("Tiny"));
    let mode = case
        .path("x.qcow2")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    // The second time it is in the cache.
    assert_eq!(case.cached(), 1);
    case.works(&mut case.exec(&["--checksum", "none", "x.qcow2"]));
}

/// qemu-img would open whatever a stranger's image names.
#[test]
fn what_names_other_files() {
    let case = Case::new();
    images::tiny(&case.path("raw.img"));
    for (format, option, error) in [
        (
            "qcow2",
            "backing_file=raw.img,backing_fmt=raw",
            "backing file",
        ),
        ("vmdk", "", "its parent"),
    ] {
        let mut args = vec!["create", "-q", "-f", format];
        if option.is_empty() {
            qemu_img(
                &case,
                &["convert", "-f", "raw", "-O", "vmdk", "raw.img", "base.vmdk"],
            );
            args.extend(["-b", "base.vmdk", "-F", "vmdk"]);
        } else {
            args.extend(["-o", option]);
        }
        args.push("child");
        qemu_img(&case, &args);
        let mut run = case.exec(&["--checksum", "none", "child"]);
        case.refused(
            &mut run,
            4,
            &["child cannot be used: ", error],
            "qemu-img convert",
        );
        fs::remove_file(case.path("child")).unwrap();
    }
    qemu_img(
        &case,
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "data_file=other,data_file_raw=on",
            "split",
            "8M",
        ],
    );
    let mut run = case.exec(&["--checksum", "none", "split"]);
    case.refused(&mut run, 4, &["its data are in another file"], "");
}

#[test]
fn what_is_damaged_and_a_full_disk() {
    let case = Case::new();
    images::tiny(&case.path("raw.img"));
    qemu_img(
        &case,
        &["convert", "-f", "raw", "-O", "qcow2", "raw.img", "x.qcow2"],
    );
    let whole = fs::read(case.path("x.qcow2")).unwrap();
    let inner = case.exec(&["--checksum", "none", "x.qcow2"]);
    let setup = format!("mount -t tmpfs -o size=600k tmpfs {}", quoted(case.cache()));
    let mut full = in_private_mounts(&setup, &inner);
    case.refused(&mut full, 3, &["No space left"], "free some space");
    case.file("x.qcow2", &whole[..whole.len() / 2]);
    let mut cut = case.exec(&["--checksum", "none", "x.qcow2"]);
    let ended = case.run(&mut cut);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:#?}");
    // Flash wants a plain one.
    case.file("x.qcow2", whole);
    let mut flash = case.pichroot(["flash", "x.qcow2", "/dev/null"]);
    case.refused(&mut flash, 2, &["/dev/null is not a disk"], "");
    let size = case.path("raw.img").metadata().unwrap().len();
    assert_eq!(size, 22 * MIB);
}
