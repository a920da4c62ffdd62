//! Every class of layouts that images have, tests/layouts/classes.yml: opened, written to, and read from outside.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use serde::Deserialize;

use crate::{
    case::Case,
    images::{self, Part, Root},
    support::{checkout, run, skip::skip, text},
};

/// A class, as far as it is looked at here.
#[derive(Deserialize)]
struct Class {
    what: String,
    table: String,
    /// The error, where pichroot is not to take it.
    refused: Option<String>,
    partitions: Vec<Partition>,
}

#[derive(Deserialize)]
struct Partition {
    at: Option<String>,
    /// Of a btrfs, with their mount points.
    #[serde(default)]
    subvolumes: BTreeMap<String, String>,
}

impl Class {
    fn mount_points(&self) -> Vec<&str> {
        let points = self.partitions.iter().flat_map(|partition| {
            let all = partition.subvolumes.values().map(String::as_str);
            let one = partition.at.iter().map(String::as_str);
            let one = one.filter(|_| partition.subvolumes.is_empty());
            all.chain(one)
        });
        points.collect()
    }
}

fn all() -> BTreeMap<String, Class> {
    let text = std::fs::read_to_string(checkout().join("tests/layouts/classes.yml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// `images.py ARGUMENTS`.
fn images_py() -> Command {
    let mut command = Command::new(checkout().join(".venv/bin/python"));
    command.arg(checkout().join("tests/layouts/images.py"));
    command
}

/// `x.img`, of the class `name`.
fn make(case: &Case, name: &str) -> PathBuf {
    let (root, image) = (case.path("root"), case.path("x.img"));
    images::tree(&root, &Root::default());
    run(images_py()
        .args(["make", name])
        .args([&root, &image])
        .args(["--room", "16"]));
    std::fs::remove_dir_all(root).unwrap();
    image
}

fn check(name: &str) {
    let (case, class) = (Case::new(), &all()[name]);
    let lacking = run(images_py().args(["kernel", name]));
    if let [kind] = lacking.split_whitespace().collect::<Vec<_>>()[..] {
        without_kernel(&case, kind);
        return skip(&format!("this kernel has no {kind}"));
    }
    let image = make(&case, name);
    if let Some(error) = &class.refused {
        let mut exec = case.exec(&["--checksum", "none", "x.img"]);
        case.refused(&mut exec, 4, &[error], "layout");
        return;
    }
    let points = class.mount_points();
    // Each file system is told where it is.
    let script = r#"for at; do echo "$at" >"$at/where"; done"#;
    let mut exec = case.pichroot(["exec", "--write", "x.img", "--", "sh", "-c", script, "sh"]);
    case.works(exec.args(&points));
    let read = run(images_py().args(["read", name]).arg(&image).arg("where"));
    let mut found: Vec<_> = read.lines().collect();
    let mut wanted: Vec<_> = points.iter().map(|at| format!("{at}: {at}")).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

/// The file system is told, and what to do, where this kernel lacks it.
fn without_kernel(case: &Case, kind: &str) {
    let file = case.file("fs", vec![0; 64 << 20]);
    run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&file));
    let content = std::fs::read(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    images::disk(&case.path("x.img"), "dos", &[Part::new("83", 64, content)]);
    let mut exec = case.exec(&["--checksum", "none", "x.img"]);
    let error = format!(" as {kind}: ");
    let hint = format!("modprobe {kind}");
    case.refused(&mut exec, 4, &[&error], &hint);
}

macro_rules! classes {
    ($($test:ident: $name:literal,)*) => {
        const TESTED: &[&str] = &[$($name),*];
        $(#[test] fn $test() { check($name); })*
    };
}

classes! {
    one_partition: "one-partition",
    pi_boot: "pi-boot",
    pi_firmware: "pi-firmware",
    pi_label: "pi-label",
    pi_current: "pi-current",
    start_63: "start-63",
    gaps: "gaps",
    logical: "logical",
    boot_and_firmware: "boot-and-firmware",
    data_partition: "data-partition",
    gpt_leading: "gpt-leading",
    gpt_seven: "gpt-seven",
    gpt_config: "gpt-config",
    gpt_out_of_order: "gpt-out-of-order",
    gpt_esp: "gpt-esp",
    cloud: "cloud",
    hybrid: "hybrid",
    no_table: "no-table",
    btrfs: "btrfs",
    btrfs_default: "btrfs-default",
    xfs: "xfs",
    f2fs: "f2fs",
    luks: "luks",
    lvm: "lvm",
}

#[test]
fn every_class_has_a_test() {
    let mut tested = TESTED.to_vec();
    tested.sort_unstable();
    assert_eq!(tested, all().keys().collect::<Vec<_>>());
}

/// A row of tests/layouts/boards.yml.
#[derive(Deserialize)]
struct Board {
    board: String,
    class: String,
    /// Where its boot partition is mounted, if it has one.
    boot: Option<String>,
    architecture: String,
    /// What qemu calls its processor.
    cpu: Option<String>,
}

fn boards() -> Vec<Board> {
    let file = std::fs::read_to_string(checkout().join("tests/layouts/boards.yml")).unwrap();
    serde_yaml::from_str(&file).unwrap()
}

/// `make layouts` writes it.
#[test]
fn the_page_has_all_classes_and_boards() {
    let page = std::fs::read_to_string(checkout().join("docs/layouts.md")).unwrap();
    let has = |row: &str| assert!(page.contains(row), "{row} is missing: run make layouts");
    for (name, class) in all() {
        has(&format!(
            "\n| `{name}` | {} | {} | ",
            class.table, class.what
        ));
    }
    for Board { board, class, .. } in boards() {
        let rows = page
            .lines()
            .filter(|line| line.starts_with(&format!("| {board} | ")));
        let known = rows
            .into_iter()
            .any(|row| row.contains(&format!(" | `{class}` | ")));
        assert!(known, "{board} is missing: run make layouts");
    }
}

#[test]
fn the_boards_are_of_these_classes_and_qemu_knows_their_processors() {
    let boards = boards();
    assert!(boards.len() > 40, "{}", boards.len());
    let classes = all();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for board in boards {
        let name = &board.board;
        let class = classes.get(&board.class);
        let class = class.unwrap_or_else(|| panic!("{name}: no class {}", board.class));
        let points = class.mount_points();
        match &board.boot {
            Some(boot) => assert!(points.contains(&boot.as_str()), "{name}: {points:?}"),
            None => assert!(!points.iter().any(|at| at.starts_with("/boot")), "{name}"),
        }
        let Some(cpu) = board.cpu else {
            continue;
        };
        let qemu = match board.architecture.as_str() {
            "arm64" => "aarch64",
            "armhf" => "arm",
            "riscv64" => "riscv64",
            "amd64" => "x86_64",
            other => panic!("{name}: {other}"),
        };
        let names = ["", "-static"].map(|end| format!("qemu-{qemu}{end}"));
        let Some(program) = names.iter().find_map(|name| which::which(name).ok()) else {
            // Machines with an ARM processor have none.
            return skip(&format!("there is no qemu-{qemu}"));
        };
        let list = known.entry(qemu.to_owned()).or_insert_with(|| {
            // It ends with 1.
            let listed = Command::new(program).args(["-cpu", "help"]).output();
            text(&listed.unwrap()).0
        });
        let listed = list.split_whitespace().any(|word| word == cpu);
        assert!(listed, "{name}: {cpu} is not in {list}");
    }
}
