//! `pichroot flash`, to loop devices.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    case::{Case, in_private_mounts, quoted},
    images::{self, MIB, Root, pack},
    sound,
    support::run,
};

/// A loop device of a file in the case's folder; gone when it is dropped.
struct Card {
    device: PathBuf,
    file: PathBuf,
}

impl Card {
    /// Full of noise, so that what is not written can be told.
    fn new(case: &Case, mib: u64) -> Self {
        Self::with(case.file("card", vec![0xa5; (mib * MIB) as usize]), &[])
    }

    fn with(file: PathBuf, options: &[&str]) -> Self {
        let said = run(Command::new("losetup")
            .args(["--find", "--show"])
            .args(options)
            .arg(&file));
        Card {
            device: said.trim().into(),
            file,
        }
    }

    fn device(&self) -> &str {
        self.device.to_str().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        run(&mut Command::new("sync"));
        fs::read(&self.file).unwrap()
    }

    fn left_alone(&self) -> usize {
        let bytes = self.bytes();
        bytes
            .chunks(4096)
            .filter(|block| block.iter().all(|byte| *byte == 0xa5))
            .count()
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
    }
}

/// The tiny image with a file of zeros, which is not stored and matters.
fn image(case: &Case) -> Vec<u8> {
    let zeros = "\0".repeat(300_000);
    let files = [("/zeros", &*zeros), ("/text", "text\n")];
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            files: &files,
            ..Root::default()
        },
    );
    fs::read(case.path("x.img")).unwrap()
}

fn flash(case: &Case, image: &str, card: &Card) -> Command {
    case.pichroot(["flash", "--yes", image, card.device()])
}

#[track_caller]
fn is_on(card: &Card) {
    let copy = card.file.with_file_name("copy");
    fs::write(&copy, &card.bytes()[..22 * MIB as usize]).unwrap();
    sound::partitions(&copy);
    assert_eq!(
        images::read_file(&copy, 4 * MIB, "/zeros"),
        "\0".repeat(300_000)
    );
    assert_eq!(images::read_file(&copy, 4 * MIB, "/text"), "text\n");
    fs::remove_file(copy).unwrap();
}

#[test]
fn a_plain_image_is_written_where_it_matters() {
    let case = Case::new();
    image(&case);
    let card = Card::new(&case, 30);
    // A gpt was on the card before.
    File::options()
        .write(true)
        .open(&card.file)
        .unwrap()
        .write_all_at(b"EFI PART", 30 * MIB - 512)
        .unwrap();
    let ended = case.run(&mut flash(&case, "x.img", &card));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let said = &ended.stderr;
    assert!(
        said.contains(" of 22 MiB matter) goes to /dev/loop"),
        "{said}"
    );
    assert!(
        said.contains("a loop device of ") && said.contains(", 30 MiB"),
        "{said}"
    );
    assert!(
        said.contains("reading /dev/loop") && said.contains("and read them back"),
        "{said}"
    );
    is_on(&card);
    assert!(card.left_alone() > (8 + 10) * 256, "{}", card.left_alone());
    assert_eq!(card.bytes()[30 * MIB as usize - 512..][..8], [0; 8]);
}

#[test]
fn packed_images_with_a_map_and_without() {
    let case = Case::new();
    let bytes = image(&case);
    case.file("x.img.xz", pack::xz(&bytes));
    case.file("x.img.gz", pack::gzip(&bytes));
    case.file("y.img.zst", pack::zstd(&bytes));
    case.file(
        "y.zip",
        pack::zip(&[("README", b"read me"), ("y.img", &bytes)]),
    );
    run(Command::new("bmaptool")
        .args(["create", "-o", "x.img.bmap", "x.img"])
        .current_dir(case.folder()));
    // bmaptool's own map has no block for the zeros, so it is for a card that is empty.
    for (name, mapped) in [
        ("x.img.xz", true),
        ("x.img.gz", true),
        ("y.img.zst", false),
        ("y.zip", false),
    ] {
        let card = Card::new(&case, 24);
        if mapped {
            fs::write(&card.file, vec![0; 24 * MIB as usize]).unwrap();
        }
        case.run(&mut flash(&case, name, &card)).assert_ok();
        is_on(&card);
        if !mapped {
            assert_eq!(card.left_alone(), 2 * 256, "{name}");
        }
        drop(card);
        case.unchanged();
    }
    // With a map of ours the zeros are written.
    let mut made = case.ansible(&[
        "--image",
        "x.img",
        "--checksum",
        "none",
        "-o",
        "z.img.xz",
        "--with",
        "bmap",
    ]);
    case.works(&mut made);
    let card = Card::new(&case, 24);
    case.run(&mut flash(&case, "z.img.xz", &card)).assert_ok();
    is_on(&card);
    assert!(card.left_alone() > 9 * 256);
}

#[test]
fn disks_that_are_not_meant() {
    let case = Case::new();
    image(&case);
    let yes = |device: &str| case.pichroot(["flash", "--yes", "x.img", device]);
    case.refused(
        &mut yes("/dev/null"),
        2,
        &["/dev/null is not a disk device"],
        "lsblk",
    );
    case.refused(
        &mut yes("x.img"),
        2,
        &["x.img is not a disk device"],
        "lsblk",
    );
    case.refused(
        &mut yes("/dev/none"),
        2,
        &["cannot find the device /dev/none"],
        "lsblk",
    );
    let small = Card::with(case.file("small", vec![0; 21 * MIB as usize]), &[]);
    let error = ["is too small: it has 21 MiB, and the image 22 MiB"];
    case.refused_on(&mut flash(&case, "x.img", &small), 2, &error, "--shrink");
    drop(small);
    let read_only = Card::with(
        case.file("ro", vec![0; 24 * MIB as usize]),
        &["--read-only"],
    );
    case.refused_on(
        &mut flash(&case, "x.img", &read_only),
        2,
        &["cannot be written"],
        "switch",
    );
    drop(read_only);
    let card = Card::new(&case, 24);
    {
        let _held = File::options()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_EXCL)
            .open(&card.device)
            .unwrap();
        case.refused_on(
            &mut flash(&case, "x.img", &card),
            3,
            &["is in use"],
            "--force",
        );
    }
    let mut asks = case.pichroot(["flash", "x.img", card.device()]);
    case.refused_on(&mut asks, 2, &["no terminal to ask on"], "--yes");
    assert_eq!(card.left_alone(), 24 * 256);
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&card.device));
    let at = case.path("mnt");
    fs::create_dir(&at).unwrap();
    let setup = format!("mount {} {}", card.device(), quoted(&at));
    let mut mounted = in_private_mounts(&setup, &flash(&case, "x.img", &card));
    case.refused_on(&mut mounted, 2, &["is mounted on ", "mnt"], "--force");
    drop(card);
    case.unchanged();
}

#[test]
fn images_that_are_not_whole() {
    let case = Case::new();
    let bytes = image(&case);
    let packed = pack::xz(&bytes);
    case.file("cut.img.xz", &packed[..packed.len() / 2]);
    let card = Card::new(&case, 24);
    let error = ["cut.img.xz is truncated"];
    case.refused_on(&mut flash(&case, "cut.img.xz", &card), 4, &error, "");
    // Nothing boots from it.
    assert_eq!(card.bytes()[..MIB as usize], vec![0; MIB as usize]);
    run(Command::new("bmaptool")
        .args(["create", "-o", "x.bmap", "x.img"])
        .current_dir(case.folder()));
    let mut other = bytes.clone();
    other[4 * MIB as usize + 1100] ^= 1;
    case.file("x.img", other);
    let error = ["x.img is not what its block map says"];
    case.refused_on(
        &mut flash(&case, "x.img", &card),
        4,
        &error,
        "get both again",
    );
    assert_eq!(card.bytes()[..MIB as usize], vec![0; MIB as usize]);
    case.file("x.bmap", "<bmap version=\"2.0\">");
    let error = ["the block map", "x.bmap has no ImageSize"];
    case.refused_on(&mut flash(&case, "x.img", &card), 4, &error, "move it away");
    drop(card);
    case.unchanged();
}

/// The file behind the loop device has no room for what is written.
#[test]
fn a_disk_that_fails() {
    let case = Case::new();
    let mut bytes = image(&case);
    let mut seed = 1u64;
    for byte in &mut bytes[8 * MIB as usize..] {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (seed >> 56) as u8;
    }
    case.file("noise.img", bytes);
    let folder = case.path("full");
    fs::create_dir(&folder).unwrap();
    // The device is made where the disk is full, so its name is not known before.
    let script = format!(
        "mount -n -t tmpfs -o size=6m tmpfs {0}; truncate -s 30M {0}/card; d=$(losetup -f --show {0}/card); code=0; \
         \"$@\" $d || code=$?; losetup -d $d; umount -n {0}; exit $code",
        quoted(&folder)
    );
    let flash = case.pichroot(["flash", "--yes", "noise.img"]);
    let error = ["error: cannot write /dev/loop"];
    case.refused_on(
        &mut in_script(&script, &flash),
        3,
        &error,
        "is it still there?",
    );
    case.unchanged();
}

/// The file system with the loop device's file is shut down in the middle: nothing can be written to it or read from it
/// any more, as when a card is pulled out.
#[test]
fn a_disk_that_goes_away() {
    let case = Case::new();
    let mut noise = vec![0; 256 * MIB as usize];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise[MIB as usize..])
        .unwrap();
    case.file("noise.img", noise);
    let folder = case.path("below");
    fs::create_dir(&folder).unwrap();
    // du counts in KiB.
    let script = format!(
        "cd {0}; mount -n -t tmpfs tmpfs .; cd {0}; truncate -s 600M fs; mkfs.xfs -q fs; mkdir at; \
         mount -n -o loop fs at; truncate -s 300M at/card; d=$(losetup -f --show at/card); cd ..; \
         \"$@\" $d & pid=$!; \
         while kill -0 $pid && [ $(du -k {0}/at/card | cut -f 1) -lt 10000 ]; do sleep 0.002; done; \
         xfs_io -x -c shutdown {0}/at; code=0; wait $pid || code=$?; \
         losetup -d $d; umount -n {0}/at; umount -n {0}; exit $code",
        quoted(&folder)
    );
    let flash = case.pichroot(["flash", "--yes", "noise.img"]);
    let error = ["error: cannot ", " /dev/loop", "Input/output error"];
    case.refused_on(
        &mut in_script(&script, &flash),
        3,
        &error,
        "is it still there?",
    );
    case.unchanged();
}

/// `script` with `command` as its arguments, in a mount namespace of its own.
fn in_script(script: &str, command: &Command) -> Command {
    let mut outer = Command::new("unshare");
    outer
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null());
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    outer.envs(set);
    outer
}

#[test]
fn it_asks_on_a_terminal() {
    let case = Case::new();
    image(&case);
    let card = Card::new(&case, 24);
    let run_with = |answer: &str| {
        let flash = case.pichroot(["flash", "x.img", card.device()]);
        let line = format!(
            "{} flash x.img {}; echo code $?",
            flash.get_program().to_str().unwrap(),
            card.device()
        );
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .current_dir(case.folder());
        for (name, value) in flash.get_envs() {
            if let Some(value) = value {
                script.env(name, value);
            }
        }
        let output = crate::support::with_input(&mut script, &format!("{answer}\n"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = run_with("no");
    assert!(
        said.contains(&format!(
            "Everything on {} is lost. Write to it? [y/N]",
            card.device()
        )),
        "{said}"
    );
    assert!(
        said.contains("the answer was no") && said.contains("code 2"),
        "{said}"
    );
    assert_eq!(card.left_alone(), 24 * 256);
    let said = run_with("y");
    assert!(said.contains("code 0"), "{said}");
    is_on(&card);
}

impl crate::case::Ended {
    #[track_caller]
    fn assert_ok(&self) {
        assert_eq!(self.code, Some(0), "{self:#?}");
    }
}
