//! `--grow`: the image, its table and a file system become larger, and nothing else does.

use std::{fs, process::Command};

use crate::{
    case::{Case, Ended, in_private_mounts, play, quoted},
    images::{self, MIB, Part, Root},
    sound::{self, Partition, length},
    support::run,
};

/// A run with x.img as the source.
fn grow(case: &Case, size: &str) -> Command {
    case.ansible(&[
        "--image",
        "x.img",
        "--checksum",
        "none",
        "-o",
        "out.img",
        "--grow",
        size,
    ])
}

/// The run, which works; the partitions of what it made, and what it said.
#[track_caller]
fn grown(case: &Case, size: &str) -> (Vec<Partition>, Ended) {
    let source = fs::read(case.path("x.img")).unwrap();
    let ended = case.run(&mut grow(case, size));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        fs::read(case.path("x.img")).unwrap() == source,
        "the source was changed"
    );
    case.unchanged();
    (sound::partitions(&case.path("out.img")), ended)
}

#[test]
fn the_last_partition_of_each_kind_of_table() {
    for label in ["dos", "gpt"] {
        let case = Case::new();
        let root = images::root(16, &Root::default());
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
                Part::new(kinds[1], 16, root),
            ],
        );
        let before = sound::partitions(&case.path("x.img"));
        // More than the root had room for.
        case.file("play.yml", play("dd if=/dev/zero of=/data bs=1M count=30"));
        for (size, length_of_it) in [
            ("64M", 64 * MIB),
            ("+41M", length(&case.path("x.img")) + 41 * MIB),
            ("66666667", 66_666_667 / 512 * 512),
        ] {
            let (after, ended) = grown(&case, size);
            let out = case.path("out.img");
            assert_eq!(length(&out), length_of_it, "{label} {size}");
            assert_eq!(after[0], before[0], "{label} {size}");
            let tail = if label == "dos" { 0 } else { 33 * 512 };
            assert_eq!(after[1].end(), length_of_it - tail, "{label} {size}");
            assert_eq!(after[1].start, before[1].start);
            let unused = after[1].size - after[1].fs.unwrap();
            assert!(unused < 4096, "{label} {size}: {unused}");
            assert!(
                ended.stderr.contains("==> partition 2 has grown to "),
                "{ended:#?}"
            );
            assert_eq!(
                images::read_file(&out, after[1].start, "/data").len(),
                30 << 20
            );
            fs::remove_file(out).unwrap();
        }
    }
}

#[test]
fn a_logical_partition_and_the_one_around_it() {
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
    let (after, _) = grown(&case, "70M");
    assert_eq!(
        (after[2].number, after[2].end()),
        (6, 70 * MIB),
        "{after:?}"
    );
    let dump = run(Command::new("sfdisk").arg("-d").arg(case.path("out.img")));
    let extended = dump.lines().find(|line| line.contains("type=f")).unwrap();
    assert!(
        extended.contains(&format!("size={:>12}", 66 * MIB / 512)),
        "{dump}"
    );
}

/// What is behind the last partition of an image that somebody has only made longer is used, too.
#[test]
fn a_size_that_the_file_has_already() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    run(Command::new("truncate")
        .args(["-s", "50M"])
        .arg(case.path("x.img")));
    let (after, _) = grown(&case, "50M");
    assert_eq!(after[1].end(), 50 * MIB);
    // And again there is nothing to do.
    fs::rename(case.path("out.img"), case.path("x.img")).unwrap();
    let (again, ended) = grown(&case, "50M");
    assert_eq!(again, after);
    assert!(!ended.stderr.contains("has grown"), "{ended:#?}");
}

#[test]
#[ignore = "long: make test-all"]
fn other_file_systems() {
    let case = Case::new();
    let root = || Part::new("83", 16, images::root(16, &Root::default()));
    let disk = |parts: &[Part]| images::disk(&case.path("x.img"), "dos", parts);
    disk(&[Part::new(
        "83",
        120,
        images::btrfs(120, |top| images::tree(top, &Root::default())),
    )]);
    let error = ["cannot have 202 MiB", "less than 256 MiB"];
    case.refused(&mut grow(&case, "+80M"), 2, &error, "ask for more");
    let data = |mkfs: &[&str], mib: u64| {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(mib * MIB).unwrap();
        run(Command::new(mkfs[0]).args(&mkfs[1..]).arg(file.path()));
        Part::new("83", mib, fs::read(file.path()).unwrap())
    };
    let btrfs = Part::new(
        "83",
        120,
        images::btrfs(120, |top| images::tree(top, &Root::default())),
    );
    for (number, parts) in [
        (1, vec![btrfs]),
        (2, vec![root(), data(&["mkfs.xfs", "-q"], 320)]),
        (2, vec![root(), data(&["mkfs.f2fs", "-q"], 64)]),
        (2, vec![root(), data(&["mkfs.ext2", "-q", "-b", "1024"], 8)]),
    ] {
        disk(&parts);
        let before = sound::partitions(&case.path("x.img"));
        let (after, _) = grown(&case, "+200M");
        let (before, after) = (&before[number - 1], &after[number - 1]);
        assert_eq!(
            after.end(),
            length(&case.path("out.img")),
            "{}",
            before.kind
        );
        let (had, has) = (before.fs.unwrap(), after.fs.unwrap());
        assert!(has - had > 190 * MIB && has <= after.size, "{after:?}");
        fs::remove_file(case.path("out.img")).unwrap();
    }
}

#[test]
fn pichroot_yml_says_it_too() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, grow: +30M}\n",
    );
    case.works(&mut case.ansible(&["-o", "out.img"]));
    let had = length(&case.path("x.img"));
    assert_eq!(length(&case.path("out.img")), had + 30 * MIB);
    // The command line wins, and a number is of bytes.
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, grow: 64000000}\n",
    );
    case.works(&mut case.ansible(&["-o", "two.img"]));
    assert_eq!(length(&case.path("two.img")), 64_000_000);
    case.works(&mut case.ansible(&["-o", "three.img", "--grow", "+1M"]));
    assert_eq!(length(&case.path("three.img")), had + MIB);
    case.file("pichroot.yml", "image: {source: x.img, grow: {size: 1}}\n");
    case.refused(&mut case.ansible(&[]), 2, &["grow has to be a size"], "");
}

/// What has been added once is not added again.
#[test]
fn a_run_that_goes_on() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let had = length(&case.path("x.img"));
    let mut keep = grow(&case, "+20M");
    case.file("play.yml", play("[ -e /go-on ] || { >/go-on; exit 1; }"));
    assert_eq!(case.run(keep.args(["--on-error", "keep"])).code, Some(5));
    let kept = case.path("out.img.failed");
    assert_eq!(length(&kept), had + 20 * MIB);
    // From the beginning: where Ansible starts at a task, it gathers facts, for which this image has no Python.
    let record = case.path("out.img.failed.json");
    let mut known: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    assert_eq!(known["size"], had);
    known["start_at_task"] = serde_json::Value::Null;
    fs::write(&record, known.to_string()).unwrap();
    for (size, length_of_it) in [("+20M", had + 20 * MIB), ("+30M", had + 30 * MIB)] {
        let copy = fs::read(&kept).unwrap();
        let record = fs::read(case.path("out.img.failed.json")).unwrap();
        case.works(grow(&case, size).arg("--resume"));
        assert_eq!(length(&case.path("out.img")), length_of_it, "{size}");
        sound::partitions(&case.path("out.img"));
        fs::remove_file(case.path("out.img")).unwrap();
        fs::write(&kept, copy).unwrap();
        case.file("out.img.failed.json", record);
    }
}

#[test]
fn what_is_no_growth() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    for (size, error, hint) in [
        ("4x", "grow: 4x is not a size", "+1G"),
        (
            "4M",
            "x.img cannot grow to 4.0 MiB: it has 22 MiB already",
            "8G",
        ),
        (
            "30M:3",
            "x.img has no partition 3",
            "its partitions are 1, 2",
        ),
        ("30M:1", "x.img cannot grow: it holds a FAT", "--grow +1G:2"),
        ("1", "cannot grow to 1 bytes", ""),
    ] {
        case.refused(&mut grow(&case, size), 2, &[error], hint);
    }
    case.refused(
        &mut grow(&case, "100T"),
        2,
        &["partition 2 cannot be that large", "2 TiB"],
        "gpt",
    );
    let mut huge = grow(&case, "+1T");
    case.refused(
        &mut huge,
        3,
        &["x.img cannot grow by 1.0 TiB"],
        "1.0 TiB may be needed",
    );
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("83", 16, images::root(16, &Root::default())),
            Part::new("82", 2, vec![0; 2 << 20]),
        ],
    );
    let error = ["x.img cannot grow: it holds nothing known"];
    case.refused(&mut grow(&case, "+8M"), 2, &error, "--grow +1G:2");
    // Between the two is a gap of 1 MiB.
    let (after, _) = grown(&case, "+8M:1");
    assert_eq!(after[0].end(), after[1].start);
    fs::rename(case.path("out.img"), case.path("x.img")).unwrap();
    let error = ["x.img cannot grow: partition 2 begins right behind it"];
    case.refused(&mut grow(&case, "+8M:1"), 2, &error, "the last partition");
}

#[test]
fn a_damaged_file_system() {
    let case = Case::new();
    let mut ext4 = images::root(16, &Root::default());
    // The first group's descriptors.
    ext4[4096..4096 + 64].fill(0xff);
    images::disk(
        &case.path("x.img"),
        "dos",
        &[
            Part::new("c", 2, images::fat(2, "BOOT")),
            Part::new("83", 16, ext4),
        ],
    );
    let error = ["x.img: ", "e2fsck -p -f of partition 2"];
    case.refused(&mut grow(&case, "64M"), 4, &error, "repair a copy");
}

#[test]
fn a_disk_that_becomes_full_meanwhile() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let folder = case.path("out");
    fs::create_dir_all(&folder).unwrap();
    let inner = case.ansible(&[
        "--image",
        "x.img",
        "--checksum",
        "none",
        "-o",
        "out/out.img",
        "--grow",
        "+2500k",
    ]);
    // Room for the copy and what is added, but not for both and the play's file.
    let setup = format!(
        "mount -t tmpfs -o size=5m tmpfs {0}; \"$@\" && code=0 || code=$?; ls -A {0}; exit $code",
        quoted(&folder)
    );
    case.file(
        "play.yml",
        play("dd if=/dev/urandom of=/data bs=1M count=8; sync; true"),
    );
    let ended = case.run(&mut in_private_mounts(&setup, &inner));
    assert!(matches!(ended.code, Some(3 | 5)), "{ended:#?}");
    assert!(!ended.stdout.contains("out.img"), "{ended:#?}");
    case.unchanged();
}
