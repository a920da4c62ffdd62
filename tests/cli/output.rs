//! Where the output goes, and what may not be overwritten.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

use crate::{
    case::{Case, in_private_mounts, quoted},
    images::{self, MIB},
    support::run,
};

const SOURCE: [&str; 4] = ["--image", "x.img", "--checksum", "none"];

fn case() -> Case {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case
}

#[test]
fn outputs_that_cannot_be_made() {
    let case = case();
    fs::create_dir(case.path("folder")).unwrap();
    case.file("full/photo.jpg", "mine");
    case.file("old.img", "old");
    symlink("x.img", case.path("link-to-source.img")).unwrap();
    symlink("nowhere", case.path("broken-link.img")).unwrap();
    fs::hard_link(case.path("x.img"), case.path("same.img")).unwrap();
    run(Command::new("mkfifo").arg(case.path("fifo.img")));
    for (output, force, error, hint) in [
        ("old.img", false, "exists", "--force"),
        ("folder", false, "is a folder", "-o"),
        ("folder", true, "is a folder", "-o"),
        ("out.img.zip", false, "cannot be a zip", ".img.xz"),
        ("folder/", false, "exists", "--force"),
        ("full/", true, "other things in it", "name another"),
        ("old.img/", true, "not a folder", ""),
        ("none/out.img", true, "does not exist", "mkdir -p"),
        ("old.img/out.img", true, "does not exist", "mkdir -p"),
        ("x.img", true, "is the source image", "-o"),
        ("x.img", false, "is the source image", "-o"),
        ("same.img", true, "is the source image", "-o"),
        ("link-to-source.img", true, "is the source image", "-o"),
        ("broken-link.img", true, "not a regular file", ""),
        ("fifo.img", true, "not a regular file", ""),
        ("/dev/null", true, "not a regular file", ""),
        (
            "/proc/1/out.img",
            true,
            "cannot write to the output's folder /proc/1",
            "-o",
        ),
    ] {
        let mut run = case.ansible(&SOURCE);
        run.args(["-o", output]);
        if force {
            run.arg("--force");
        }
        let code = if output.starts_with("/proc") { 3 } else { 2 };
        let name = if code == 3 {
            "/proc/1"
        } else {
            output.trim_end_matches('/')
        };
        case.refused(&mut run, code, &[name, error], hint);
    }
}

#[test]
fn a_read_only_file_system() {
    let case = case();
    let folder = case.path("out");
    fs::create_dir(&folder).unwrap();
    let mut inner = case.ansible(&SOURCE);
    inner.args(["-o", "out/out.img"]);
    let setup = format!("mount -t tmpfs -o ro tmpfs {}", quoted(&folder));
    let error = ["cannot write", "out"];
    case.refused(&mut in_private_mounts(&setup, &inner), 3, &error, "-o");
}

#[test]
fn an_output_that_exists_is_replaced_in_one_step() {
    let case = case();
    let old = case.file("out.img", "old");
    let inode = fs::metadata(&old).unwrap().ino();
    let held = fs::File::open(&old).unwrap();
    case.works(case.ansible(&SOURCE).args(["-o", "out.img", "--force"]));
    let new = fs::metadata(&old).unwrap();
    assert_ne!(new.ino(), inode);
    assert_eq!(
        held.metadata().unwrap().len(),
        3,
        "the old file itself was written"
    );
    assert_eq!(new.permissions().mode() & 0o777, 0o600);
    assert_eq!(images::read_file(&old, 4 * MIB, "/done"), "done\n");
    assert_eq!(names(&case), ["out.img", "play.yml", "x.img"]);
}

#[test]
fn a_failing_run_leaves_the_old_output_alone() {
    let case = case();
    case.file("out.img", "old");
    case.file("play.yml", crate::case::play("exit 3"));
    let mut run = case.ansible(&SOURCE);
    run.args(["-o", "out.img", "--force"]);
    case.refused(&mut run, 5, &["ansible-playbook"], "above");
}

fn names(case: &Case) -> Vec<String> {
    let entries = fs::read_dir(case.folder()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
