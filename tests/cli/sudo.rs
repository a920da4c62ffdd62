//! What sudo hides of its caller.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use crate::{
    case::{Case, in_private_mounts, play, quoted},
    images::{self, MIB},
};

const RUN: [&str; 5] = ["--image", "x.img", "--checksum", "none", "-oout.img"];
/// The caller's user id, of no user of this machine.
const CALLER: &str = "23456";

fn case() -> Case {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    fs::create_dir(case.path("home")).unwrap();
    case
}

/// `command` as sudo starts it: with root's home, and the caller in the database of users.
fn by_sudo(case: &Case, command: &mut Command) -> Command {
    command
        .env("SUDO_UID", CALLER)
        .env("SUDO_GID", CALLER)
        .env("HOME", "/root")
        .env_remove("VAULT_ADDR");
    let users = quoted(&case.cache().join("passwd"));
    let line = format!(
        "me:x:{CALLER}:{CALLER}::{}:/bin/sh",
        case.path("home").display()
    );
    let setup = format!(
        "{{ cat /etc/passwd; echo '{line}'; }} > {users}\n\
         mount --bind {users} /etc/passwd"
    );
    in_private_mounts(&setup, command)
}

#[test]
fn variables_are_let_through() {
    let case = case();
    for (source, code, error, variable) in [
        ("env:PICHROOT_NO_SUCH", 2, "is not set", "PICHROOT_NO_SUCH"),
        ("vault:secret/x#y", 2, "home/.vault-token", "VAULT_TOKEN"),
    ] {
        let mut run = case.ansible(&RUN);
        run.args(["--secret", &format!("key={source}")]);
        let hint = format!("sudo --preserve-env={variable} ");
        case.refused(&mut by_sudo(&case, &mut run), code, &[error], &hint);
    }
    case.file("home/.vault-token", "hvs.token");
    let mut run = case.ansible(&RUN);
    run.args(["--secret", "key=vault:secret/x#y"]);
    let hint = "sudo --preserve-env=VAULT_ADDR ";
    case.refused(&mut by_sudo(&case, &mut run), 3, &["127.0.0.1:8200"], hint);
}

#[test]
fn the_home_is_the_callers() {
    let case = case();
    case.file("home/key.pub", "ssh-ed25519 me");
    case.file("home/word", "hunter2");
    case.file(
        "home/.ansible/roles/mine/tasks/main.yml",
        "- ansible.builtin.raw: echo '{{ lookup(\"file\", \"~/key.pub\") }} {{ word | length }}' > /key\n",
    );
    case.file(
        "home/.ansible/plugins/filter/own.py",
        "class FilterModule:\n    def filters(self): return {'own': str}\n",
    );
    case.file("play.yml", "- hosts: all\n  gather_facts: false\n  roles: [mine]\n  tasks: [{ansible.builtin.raw: \"true {{ 1 | own }}\"}]\n");
    case.file("pichroot.yml", "secrets: {word: {file: ~/word}}\n");
    let mut run = case.ansible(&RUN);
    run.args(["--secret", "other=cmd:cat ~/word"]);
    case.works(&mut by_sudo(&case, &mut run));
    let output = case.path("out.img");
    assert_eq!(
        images::read_file(&output, 4 * MIB, "/key"),
        "ssh-ed25519 me 7\n"
    );
    assert_eq!(output.metadata().unwrap().uid().to_string(), CALLER);
    // Nothing that only root could remove is left there.
    for left in [
        ".ansible/tmp",
        ".ansible/plugins/filter/__pycache__",
        ".cache",
    ] {
        assert!(!case.path("home").join(left).exists(), "{left}");
    }
}

#[test]
fn where_ansible_was_looked_for_is_told() {
    let case = case();
    let nothing = case.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let own = case.file("home/.local/bin/ansible-playbook", "");
    // The shell that sets the scene needs its own PATH.
    let mut run = Command::new("env");
    let inner = case.ansible(&RUN);
    run.current_dir(case.folder())
        .arg(format!("PATH={}", nothing.display()))
        .arg(inner.get_program())
        .args(inner.get_args())
        .env("PICHROOT_DATA_DIR", &nothing)
        .env("PICHROOT_CACHE_DIR", case.cache());
    let mut run = by_sudo(&case, &mut run);
    let error = [
        "cannot find ansible-playbook in",
        &nothing.display().to_string(),
    ];
    case.refused(&mut run, 3, &error, &own.display().to_string());
}

#[test]
fn a_role_that_is_nowhere() {
    let case = case();
    case.file("play.yml", play("true") + "  roles: [none]\n");
    let ended = case.run(&mut by_sudo(&case, &mut case.ansible(&RUN)));
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("home/.ansible/roles"), "{said}");
}
