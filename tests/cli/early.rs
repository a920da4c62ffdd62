//! What is told before the first byte of a download.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    case::{Case, in_private_mounts, play},
    images::{self, pack},
    support::{
        server::{Server, answer},
        wait_for,
    },
};

/// Serves a packed image, and says how often it was asked.
fn server(case: &Case) -> Server {
    images::tiny(&case.cache().join("x.img"));
    let packed = pack::xz(&fs::read(case.cache().join("x.img")).unwrap());
    fs::remove_file(case.cache().join("x.img")).unwrap();
    Server::start(move |_, _| answer("200 OK", &packed))
}

fn ansible(case: &Case, server: &Server, arguments: &[&str]) -> Command {
    let mut run = case.ansible(&["--checksum", "none", "-oout.img", "--image"]);
    run.arg(format!("{}/x.img.xz", server.url)).args(arguments);
    run
}

#[test]
fn a_playbook_that_ansible_does_not_take() {
    let case = Case::new();
    let server = server(&case);
    let roles = "- hosts: all\n  roles: [none]\n";
    let secret = play("echo {{ word }}") + "      vars_files: [x]\n";
    let vaulted = "$ANSIBLE_VAULT;1.1;AES256\n3061\n";
    case.file("vaulted.yml", vaulted);
    case.file("pw", "hunter2");
    for (text, arguments, said) in [
        ("- hosts: [\n", &[][..], "rror"),
        (roles, &[], "the role 'none' was not found"),
        (&secret, &[], "vars_files"),
        (&play("true"), &["-l", "other"], "no hosts to target"),
        (&play("true"), &["-e", "@vaulted.yml"], "vault secrets"),
        (
            &play("true"),
            &["-e", "@vaulted.yml", "--vault-password-file=pw"],
            "vaulted.yml",
        ),
        (&play("true"), &["--vault-id", "a@none"], "none"),
    ] {
        case.file("play.yml", text);
        let mut run = ansible(&case, &server, arguments);
        let error = ["ansible-playbook ended with exit code"];
        let ended = case.refused(&mut run, 5, &error, "nothing has been fetched");
        assert!(ended.stderr.contains(said), "{said}: {ended:#?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn tags_and_tasks_that_are_nowhere() {
    let case = Case::new();
    let server = server(&case);
    let text = play("echo done > /done") + "      tags: [setup, never]\n";
    case.file("play.yml", text);
    images::tiny(&case.path("x.img"));
    for (arguments, error, hint) in [
        (
            ["--tags", "stup"],
            "no task is tagged stup",
            "did you mean setup?",
        ),
        (["--skip-tags", "x"], "no task is tagged x", "never, setup"),
        (["--start-at-task", "two"], "no task is called two", "one"),
    ] {
        case.refused(&mut ansible(&case, &server, &arguments), 2, &[error], hint);
        // Ansible would make an image of nothing.
        let mut local = case.ansible(&["--image", "x.img", "-oout.img"]);
        case.refused(local.args(arguments), 2, &[error], hint);
    }
    assert_eq!(server.requests().len(), 0);
    case.works(&mut ansible(&case, &server, &["--tags", "setup"]));
    assert_eq!(
        images::read_file(&case.path("out.img"), 4 * images::MIB, "/done"),
        "done\n"
    );

    let text = play("true") + "      tags: [always]\n";
    case.file("play.yml", text);
    let mut run = case.ansible(&["--image", "x.img", "-otwo.img", "--tags", "inner"]);
    let ended = case.run(&mut run);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let warning = "warning: no task is seen to be tagged inner";
    assert!(ended.stderr.contains(warning), "{ended:#?}");
}

#[test]
fn a_machine_that_cannot() {
    let case = Case::new();
    let server = server(&case);
    let hide =
        |what: &str| format!("for f in {what}; do [ ! -e $f ] || mount --bind /dev/null $f; done");
    let no_loop = "mount -t tmpfs -o mode=755 tmpfs /dev
        for node in 'null c 1 3' 'random c 1 8' 'urandom c 1 9'; do mknod -m 666 /dev/$node; done";
    for (setup, error, hint) in [
        (
            &*hide("/usr/bin/qemu-* /usr/libexec/qemu-binfmt/*"),
            "no qemu for aarch64",
            "--emulation native",
        ),
        (no_loop, "/dev/loop-control", "loop"),
        (
            &hide("/sbin/e2fsck /usr/sbin/e2fsck"),
            "e2fsck is not installed",
            "e2fsprogs",
        ),
    ] {
        let url = format!("{}/x.img.xz", server.url);
        for run in [
            ansible(&case, &server, &[]),
            case.exec(&["--checksum", "none", &url]),
        ] {
            let mut run = in_private_mounts(setup, &run);
            case.refused(&mut run, 3, &[error], hint);
        }
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_ansible_that_is_too_old() {
    let case = Case::new();
    let server = server(&case);
    let library = "old/lib/python3.9/site-packages/ansible";
    case.file(&format!("{library}/module_utils/basic.py"), "");
    let release = "__version__ = '2.15.3'\n__author__ = 'Ansible, Inc.'\n";
    case.file(&format!("{library}/release.py"), release);
    let program = case.file("old/bin/ansible-playbook", "#!/bin/sh\nexit 1\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(program, mode).unwrap();
    case.file(
        "pichroot.yml",
        "ansible: {command: old/bin/ansible-playbook}\n",
    );
    let error = ["old/bin/ansible-playbook is of ansible-core 2.15"];
    case.refused(&mut ansible(&case, &server, &[]), 3, &error, "doctor");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn no_room_for_what_the_server_announces() {
    let case = Case::new();
    // 64 GiB, of which nothing comes.
    let server = Server::start(|_, _| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 68719476736\r\nConnection: close\r\n\r\n".to_vec()
    });
    let cache = case.cache().display();
    let run = case.exec(&["--checksum", "none", &format!("{}/x.img.xz", server.url)]);
    let mut run = in_private_mounts(&format!("mount -t tmpfs -o size=16M tmpfs {cache}"), &run);
    let error = ["x.img.xz to the cache", "No space left"];
    let ended = case.refused(&mut run, 3, &error, "PICHROOT_CACHE_DIR");
    let figures = "16 MiB of 16 MiB are free and 128 GiB may be needed";
    assert!(ended.stderr.contains(figures), "{ended:#?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_run_that_is_killed_while_it_looks() {
    let case = Case::new();
    let server = server(&case);
    let program = case.file(
        "bin/ansible-playbook",
        "#!/bin/sh\nwhile :; do sleep 1; done\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(program, mode).unwrap();
    case.file("pichroot.yml", "ansible: {command: bin/ansible-playbook}\n");
    for mut run in [
        ansible(&case, &server, &[]),
        case.ansible(&["--list-tasks"]),
    ] {
        let mut child = run.stdin(Stdio::null()).spawn().unwrap();
        let folder = || {
            let entries = fs::read_dir("/run").unwrap().flatten();
            let mut names = entries.map(|entry| entry.file_name());
            names.find(|name| name.to_string_lossy().starts_with("pichroot-files-"))
        };
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        wait_for("the start of Ansible", Duration::from_secs(60), || {
            let children = fs::read_to_string(&children).unwrap_or_default();
            let mut pids = children.split_whitespace();
            let started = |pid: &str| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains("ansible-playbook")
            };
            pids.any(started).then_some(())
        });
        assert!(folder().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        case.unchanged();
    }
    assert_eq!(server.requests().len(), 0);
}
