//! A full disk, at every step that writes.

use std::{fs, path::Path, process::Command};

use crate::{
    case::{Case, in_private_mounts, play, quoted},
    images::{self, Part, Root, pack},
    support::server::Server,
};

const NO_SPACE: &str = "No space left on device";

/// An image with some MiB that cannot be compressed to less than a third or so.
fn full_image(case: &Case, mib: usize) {
    let mut seed = 1u64;
    let noise = (0..mib << 19).map(|_| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        char::from(b' ' + (seed >> 62) as u8)
    });
    let files = [("/noise", &*noise.collect::<String>())];
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            files: &files,
            ..Root::default()
        },
    );
}

/// How the hint begins that tells which file system is full, and with how much.
fn figures(at: &Path) -> String {
    format!("hint: free some space on {} (tmpfs), where ", at.display())
}

fn tmpfs(options: &str, at: &Path) -> String {
    format!("mount -t tmpfs -o {options} tmpfs {}", quoted(at))
}

#[test]
fn while_decompressing() {
    // The packed image fits, so it is tried.
    let case = Case::new();
    full_image(&case, 8);
    case.file("x.img.xz", pack::xz(&fs::read(case.path("x.img")).unwrap()));
    assert!(case.path("x.img.xz").metadata().unwrap().len() < 3 << 20);
    let inner = case.ansible(&["--image", "x.img.xz", "--checksum", "none", "-o", "out.img"]);
    let mut run = in_private_mounts(&tmpfs("size=2m", case.cache()), &inner);
    let ended = case.refused(
        &mut run,
        3,
        &["x.img.xz", "cache", NO_SPACE],
        &figures(case.cache()),
    );
    assert!(ended.stderr.contains(" MiB may be needed"), "{ended:#?}");
}

#[test]
fn while_downloading() {
    let case = Case::new();
    full_image(&case, 8);
    let bytes = fs::read(case.path("x.img")).unwrap();
    // Where the server tells the length, it is not tried.
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let server = Server::start(move |_, _| [head, &bytes[..]].concat());
    let url = format!("{}/x.img", server.url);
    let inner = case.ansible(&["--image", &url, "--checksum", "none", "-o", "out.img"]);
    let mut run = in_private_mounts(&tmpfs("size=2m", case.cache()), &inner);
    case.refused(
        &mut run,
        3,
        &["x.img", "cache", NO_SPACE],
        &format!("{}0 bytes of 2.0 MiB are free", figures(case.cache())),
    );
}

/// A run with the output on a small tmpfs; it prints what is there afterwards.
fn on_small_tmpfs(case: &Case, size: &str) -> Command {
    let folder = case.path("out");
    fs::create_dir_all(&folder).unwrap();
    let inner = case.ansible(&[
        "--image",
        "x.img",
        "--checksum",
        "none",
        "-o",
        "out/out.img",
    ]);
    let setup = format!(
        "{}; \"$@\" && code=0 || code=$?; ls -A {}; exit $code",
        tmpfs(size, &folder),
        quoted(&folder)
    );
    in_private_mounts(&setup, &inner)
}

#[test]
fn while_copying_the_work_image() {
    let case = Case::new();
    full_image(&case, 8);
    let mut run = on_small_tmpfs(&case, "size=2m");
    let hint = figures(&case.path("out"));
    let ended = case.refused(&mut run, 3, &["out.img", NO_SPACE], &hint);
    assert!(ended.stderr.contains(" MiB may be needed"), "{ended:#?}");
    assert_eq!(ended.stdout, "", "left beside the output");
}

/// The work image is sparse, and its file system believes that there is room: the kernel takes the
/// data, and finds out when it writes them.
#[test]
fn while_the_playbook_writes() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    for script in [
        "dd if=/dev/urandom of=/data bs=1M count=8",
        "dd if=/dev/urandom of=/data bs=1M count=8; sync; rm /data",
        "dd if=/dev/urandom of=/data bs=1M count=8; sync; sync; true",
    ] {
        case.file("play.yml", play(script));
        let mut run = on_small_tmpfs(&case, "size=5m");
        let ended = case.run(&mut run);
        assert!(matches!(ended.code, Some(3 | 5)), "{script}: {ended:#?}");
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:#?}");
        assert_eq!(ended.stderr.matches("hint: ").count(), 1, "{ended:#?}");
        assert!(!ended.stdout.contains("out.img"), "{ended:#?}");
        case.unchanged();
    }
}

/// FAT is served by pichroot itself where the kernel has none.
#[test]
fn while_the_playbook_writes_to_fat() {
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
            Part::new("c", 8, images::fat(8, "BOOT")),
            Part::new("83", 16, images::root(16, &with)),
        ],
    );
    for script in [
        "dd if=/dev/urandom of=/boot/data bs=64k count=100",
        "dd if=/dev/urandom of=/boot/data bs=64k count=100 || true",
    ] {
        case.file("play.yml", play(script));
        let ended = case.run(&mut on_small_tmpfs(&case, "size=5m"));
        assert!(matches!(ended.code, Some(3 | 5)), "{script}: {ended:#?}");
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:#?}");
        assert_eq!(ended.stderr.matches("hint: ").count(), 1, "{ended:#?}");
        assert!(!ended.stdout.contains("out.img"), "{ended:#?}");
        case.unchanged();
    }
}

#[test]
fn no_room_in_run() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let inner = case.exec(&["--checksum", "none", "x.img"]);
    let mut run = in_private_mounts(&tmpfs("nr_inodes=1", Path::new("/run")), &inner);
    // Nothing of a run is there.
    case.works(&mut run);
}

/// Not this machine is full, but the image.
#[test]
fn an_image_without_room() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    // It removes what it wrote, as dpkg does.
    case.file(
        "play.yml",
        play("dd if=/dev/zero of=/data bs=1M count=30 || { sleep 1; >/data; exit 1; }"),
    );
    let ended =
        case.run(&mut case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]));
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    let warning = "warning: the image's file system on / (partition 2) had only ";
    assert!(ended.stderr.contains(warning), "{ended:#?}");
    let hint = "hint: the image's file system on / had only ";
    assert!(
        ended.stderr.contains(hint) && ended.stderr.contains("image.grow"),
        "{ended:#?}"
    );
    case.file("play.yml", play("exit 1"));
    let ended =
        case.run(&mut case.ansible(&["--image", "x.img", "--checksum", "none", "-o", "out.img"]));
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    assert!(!ended.stderr.contains("had only"), "{ended:#?}");
    case.unchanged();
}
