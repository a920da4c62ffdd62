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

/// What hands that know ansible-playbook, Packer or chroot(8) type.
#[test]
fn words_of_other_programs() {
    let case = Case::new();
    case.ansible(&[]);
    let login = "reached without a login";
    for (line, error, hint) in [
        (&["ansible", "play.yml", "-k"][..], "no option -k", login),
        (&["ansible", "play.yml", "-bk"], "no option -k", login),
        (&["ansible", "play.yml", "-T", "30"], "no option -T", login),
        (&["ansible", "play.yml", "--ask-pass"], "--ask-pass", login),
        (
            &["ansible", "play.yml", "--private-key=x"],
            "--private-key",
            login,
        ),
        (
            &["ansible", "play.yml", "--connection", "local"],
            "--connection",
            login,
        ),
        (
            &["ansible", "play.yml", "-c", "local"],
            "local",
            "the connection to the image is pichroot's own",
        ),
        (
            &["ansible", "play.yml", "--become-password-file", "x"],
            "--become-password-file",
            "-- --become-password-file=FILE",
        ),
        (&["build", "x.json"], "build", "pichroot ansible PLAYBOOK"),
        (&["validate", "x.json"], "validate", "--syntax-check"),
        (&["play.yml"], "play.yml", "pichroot ansible play.yml"),
        (&["x.img"], "x.img", "pichroot shell x.img"),
        (
            &["ansible", "play.yml", "-var", "a=hunter2"],
            "no option -var",
            "-e NAME=VALUE",
        ),
        (
            &["ansible", "play.yml", "-var-file=x.hcl"],
            "no option -var-file",
            "--var-file FILE",
        ),
        (
            &["exec", "--network", "none", "x.img", "cat", "/x"],
            "'cat'",
            "pichroot exec --network none x.img -- cat ...",
        ),
        (
            &["shell", "x.img", "cat", "/x"],
            "'cat'",
            "pichroot exec x.img -- cat ...",
        ),
    ] {
        let ended = case.refused(&mut case.pichroot(line), 2, &[error], hint);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn names_that_are_nearly_right() {
    let case = Case::new();
    images::tiny(&case.path("ubuntu.img"));
    case.file("hosts.yml", "");
    case.file("vars.yml", "");
    case.file("other.yml", "");
    case.file("pw.txt", "x");
    case.file("SHA256SUMS", "");
    case.ansible(&[]);
    let image = ["--image", "ubuntu.img", "-oout.img"];
    for (arguments, meant) in [
        (&["ansible", "paly.yml"][..], "play.yml"),
        (&["ansible", "play"], "play.yml"),
        (&["ansible", "play.yaml"], "play.yml"),
        (
            &["ansible", "bootstrap-ubutnu-image.yml"],
            "bootstrap-ubuntu-image.yml",
        ),
        (&["ansible", "play.yml", "-i", "host.yml"], "hosts.yml"),
        (&["ansible", "play.yml", "-e", "@var.yml"], "vars.yml"),
        (
            &["ansible", "play.yml", "--var-file", "vras.yml"],
            "vars.yml",
        ),
        (
            &["ansible", "play.yml", "--config", "othr.yml"],
            "other.yml",
        ),
    ] {
        let mut run = case.pichroot(arguments);
        let wrong = arguments[arguments.len() - 1].trim_start_matches('@');
        case.refused(run.args(image), 2, &[wrong], &format!("{meant}?"));
    }
    for (arguments, meant) in [
        (["--checksum", "none", "ubutnu.img"], "ubuntu.img"),
        (["--checksum", "file:SHA256SUM", "ubuntu.img"], "SHA256SUMS"),
    ] {
        case.refused(&mut case.exec(&arguments), 2, &[], &format!("{meant}?"));
    }
    let mut secret = case.ansible(&image);
    secret.args(["--secret", "pw=file:pw.tx"]);
    case.refused(&mut secret, 2, &["pw.tx"], "pw.txt?");
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
