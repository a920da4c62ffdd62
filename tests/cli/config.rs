//! pichroot.yml and variables.

use std::fs;

use crate::{
    case::{Case, play},
    images,
};

#[test]
fn files_that_are_wrong() {
    let case = Case::new();
    for (text, error, hint) in [
        (
            "imgae: {source: x.img}\n",
            "unknown key imgae",
            "did you mean image?",
        ),
        (
            "image:\n  sourc: x.img\n",
            "unknown key image.sourc",
            "did you mean source?",
        ),
        (
            "image:\n  checksums: none\n",
            "unknown key image.checksums",
            "did you mean checksum?",
        ),
        (
            "ansible: {usr: x}\n",
            "unknown key ansible.usr",
            "did you mean user?",
        ),
        (
            "zzzzzz: 1\n",
            "unknown key zzzzzz",
            "known keys here are image",
        ),
        ("image: [\n", "pichroot.yml:", "manual"),
        ("image:\n\tsource: x\n", "pichroot.yml:", "manual"),
        ("image: x.img\n", "pichroot.yml:1", "manual"),
        ("on_error: maybe\n", "maybe", "manual"),
        ("- image\n", "pichroot.yml", "manual"),
        ("secrets: {pw: hunter2}\n", "pw", ""),
        ("secrets: {pw: {evn: PW}}\n", "evn", ""),
        ("secrets: {1pw: {env: PW}}\n", "secret", ""),
        ("vars: [a]\n", "vars", ""),
        (
            "image: {source: x.img, output: '{none}.img'}\n",
            "{none}",
            "-e none=",
        ),
        (
            "image: {source: x.img, output: '{none'}\n",
            "{",
            "{hn_hostname}",
        ),
        (
            "ansible: {args: [--connection, local]}\n",
            "--connection",
            "",
        ),
        ("{}\n", "no image is given", "--image"),
    ] {
        case.file("pichroot.yml", text);
        let ended = case.refused(&mut case.ansible(&[]), 2, &[error], hint);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let mut missing = case.ansible(&["--config", "none.yml"]);
    case.refused(&mut missing, 2, &["none.yml"], "--config");
    let mut folder = case.ansible(&["--config", "."]);
    case.refused(&mut folder, 2, &["cannot read"], "--config");
}

#[test]
fn files_that_are_not_read() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let config = "image: {source: x.img, output: out.img}\n";
    case.file("site/play.yml", play("echo done > /done"));
    let other = case.file("pichroot.yaml", config);
    let run = |arguments: &[&str]| {
        let mut run = case.pichroot(["ansible", "site/play.yml"]);
        run.args(arguments);
        run
    };
    let error = ["pichroot.yaml is not read"];
    let hint = "--config pichroot.yaml";
    case.refused(&mut run(&[]), 2, &error, hint);
    case.refused(&mut case.exec(&["x.img"]), 2, &error, hint);
    fs::remove_file(other).unwrap();

    let beside = case.file("site/pichroot.yml", config);
    let hint = format!("--config {}", beside.display());
    case.refused(&mut run(&[]), 2, &["no image is given"], &hint);
    let ended = case.run(&mut run(&["--image", "x.img", "-oout.img"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let warning = format!("warning: {} is not read", beside.display());
    assert!(ended.stderr.contains(&warning), "{ended:#?}");
    case.unchanged();
}

#[test]
fn variables_that_are_wrong() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file("bad.json", "{\"a\": ");
    case.file("bad.pkrvars.hcl", "a = [\n");
    case.file("list.yml", "- a\n");
    for (arguments, error) in [
        (["-e", "hn_hostname=../x"], "hn_hostname"),
        (["-e", "hn_hostname=localhost"], "localhost"),
        (["-e", "@none.yml"], "none.yml"),
        (["-e", "{a: "], "-e"),
        (["-e", "novalue"], "-e"),
        (["--var-file", "none.yml"], "none.yml"),
        (["--var-file", "bad.pkrvars.hcl"], "bad.pkrvars.hcl"),
        (["--inventory", "none"], "none"),
    ] {
        let mut run = case.ansible(&["--image", "x.img", "--checksum", "none"]);
        case.refused(run.args(arguments), 2, &[error], "");
    }
    // What is in YAML and JSON files, which may be encrypted, is for Ansible to judge.
    for file in ["bad.json", "list.yml"] {
        let mut run = case.ansible(&["--image", "x.img", "--checksum", "none"]);
        run.args(["--var-file", file]);
        let ended = case.refused(&mut run, 5, &["ansible-playbook ended"], "above");
        assert!(ended.stderr.contains(file), "{ended:#?}");
    }
}
