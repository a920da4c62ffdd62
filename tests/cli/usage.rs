//! The command line itself, and no root.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::{case::Case, images};

#[test]
fn arguments_that_are_wrong() {
    let case = Case::new();
    case.ansible(&[]);
    for (line, error, hint) in [
        (&["frobnicate"][..], "frobnicate", "pichroot --help"),
        (&["ansibel", "x.yml"], "ansibel", "ansible"),
        (&["ansible"], "<PLAYBOOK>", "pichroot ansible --help"),
        (
            &["ansible", "play.yml", "--imaeg", "x"],
            "--imaeg",
            "--image",
        ),
        (
            &["ansible", "play.yml", "--frobnicate"],
            "--frobnicate",
            "pichroot ansible --help",
        ),
        (
            &["ansible", "play.yml", "--on-error", "maybe"],
            "[possible values: cleanup, keep",
            "pichroot ansible --help",
        ),
        (
            &["ansible", "play.yml", "--image"],
            "--image",
            "pichroot ansible --help",
        ),
        (
            &["ansible", "play.yml", "extra"],
            "extra",
            "pichroot ansible --help",
        ),
        (&["exec", "x.img"], "<COMMAND>", "pichroot exec --help"),
        (&["exec", "x.img", "true"], "true", "pichroot exec --help"),
        (&["shell"], "<IMAGE>", "pichroot shell --help"),
        (
            &["exec", "--emulation", "fast", "x.img", "--", "true"],
            "auto",
            "pichroot exec --help",
        ),
    ] {
        case.refused(&mut case.pichroot(line), 2, &[error], hint);
    }
}

#[test]
fn no_root() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    fs::set_permissions(case.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = case.path("pichroot");
    fs::copy(env!("CARGO_BIN_EXE_pichroot"), &program).unwrap();
    for command in [
        case.exec(&["x.img"]),
        case.ansible(&["--image", "x.img", "-o", "out.img"]),
    ] {
        let mut plain = Command::new("setpriv");
        plain
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(command.get_args())
            .current_dir(case.folder())
            .env("HOME", "/nonexistent");
        case.refused(&mut plain, 3, &["pichroot", "root"], "sudo");
    }
}

#[test]
fn a_command_that_is_not_in_the_image() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let mut run = case.pichroot([
        "exec",
        "--checksum",
        "none",
        "x.img",
        "--",
        "no-such-command",
    ]);
    let ended = case.run(&mut run);
    assert_eq!(ended.code, Some(127), "{ended:#?}");
    assert!(
        ended.stderr.contains("cannot run no-such-command: "),
        "{ended:#?}"
    );
    case.unchanged();
}
