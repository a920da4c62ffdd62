//! Limits of an image, and of what pichroot is started with, are told.

use std::process::Command;

use crate::{
    case::Case,
    images::{self, Root},
};

#[test]
fn no_free_inodes() {
    let case = Case::new();
    let few = Root {
        mke2fs: &["-N", "96"],
        ..Root::default()
    };
    images::tiny_with(&case.path("x.img"), &few);
    // Ours takes one itself.
    let fill = "rm /etc/resolv.conf; i=0; while touch /$i; do i=$((i + 1)); done; echo full";
    let mut command = case.pichroot(["exec", "--write", "--checksum", "none", "x.img"]);
    let filled = case.run(command.args(["--", "sh", "-c", fill]));
    assert_eq!(
        (filled.code, &*filled.stdout),
        (Some(0), "full\n"),
        "{filled:?}"
    );
    let said = "warning: the image's file system on / (partition 2) had no inode left";
    assert!(filled.stderr.contains(said), "{filled:?}");
    case.refused(
        &mut case.exec(&["--checksum", "none", "x.img"]),
        4,
        &["cannot make /etc/resolv.conf in the image", "No space left"],
        "no inode left",
    );
}

/// `pichroot exec x.img` after `ulimit`.
fn limited(case: &Case, ulimit: &str) -> Command {
    let inner = case.exec(&["--checksum", "none", "x.img"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{ulimit}; exec \"$@\""), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(case.folder());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// CAP_SYS_RESOURCE, of capability.h.
fn may_raise_limits() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() & (1 << 24) != 0
}

#[test]
fn the_limit_of_the_size_of_files_is_lifted() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.works(&mut limited(&case, "ulimit -S -f 1000"));
    let mut hard = limited(&case, "ulimit -f 1000");
    if may_raise_limits() {
        case.works(&mut hard);
    } else {
        case.refused(
            &mut hard,
            3,
            &["cannot lift the limit of the size of files"],
            "ulimit -f",
        );
    }
}
