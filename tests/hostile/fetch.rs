//! What comes out of an image through Ansible: only to where the playbook says.

use std::{fs, path::Path, process::Output};

use crate::{
    image::{Kept, exec, within_limit},
    support::{Host, pichroot, raw_copy, text},
};

/// Runs a play of `tasks` on x.img in `dir`.
fn play(dir: &Path, tasks: &str) -> Output {
    let play = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
    fs::write(dir.join("play.yml"), play).unwrap();
    let mut command = pichroot(dir);
    command.args([
        "ansible",
        "play.yml",
        "--image",
        "x.img",
        "--checksum",
        "none",
    ]);
    within_limit(command.args(["--output", "out.img", "--force"]))
}

/// Changes x.img in `dir` by a shell script.
fn change(dir: &Path, script: &str) {
    raw_copy(dir, "x.img");
    let output = within_limit(&mut exec(&dir.join("x.img"), &["bash", "-c", script]));
    assert!(output.status.success(), "{:?}", text(&output));
}

#[test]
fn links_in_the_image_lead_fetch_to_the_images_own_files() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "of the host").unwrap();
    let (host, kept) = (Host::now(), Kept::now(&[&secret]));
    let (path, up) = (secret.display(), "../".repeat(12));
    change(
        dir.path(),
        &format!(
            "set -e; ln -s {path} /etc/x; ln -s {up}{path} /etc/y
             ln -s /etc/hostname /etc/z; echo inside >/etc/hostname"
        ),
    );
    let tasks = "    - fetch: {src: '/etc/{{ item }}', dest: got, fail_on_missing: false}\n      \
                 loop: [x, y, z]\n    - copy: {content: 'put', dest: /etc/x, follow: true}\n      \
                 ignore_errors: true\n    - slurp: {src: /etc/y}\n      ignore_errors: true\n";
    let output = play(dir.path(), tasks);
    assert_eq!(output.status.code(), Some(0), "{:?}", text(&output));
    let got = crate::support::run(
        std::process::Command::new("find")
            .args(["got", "-type", "f"])
            .current_dir(dir.path()),
    );
    assert_eq!(got, "got/out/etc/z\n");
    assert_eq!(
        fs::read_to_string(dir.path().join("got/out/etc/z")).unwrap(),
        "inside\n"
    );
    assert_eq!(fs::read_to_string(&secret).unwrap(), "of the host");
    kept.assert_same(Kept::now(&[&secret]));
    host.assert_unchanged();
}

#[test]
fn an_interpreter_that_lies_about_paths_writes_nothing_outside_the_destination() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("around")).unwrap();
    let (host, kept) = (Host::now(), Kept::of_host());
    // Says whatever stat and slurp may be asked for, with a path of its own choice.
    let lie = "cat >/dev/null; echo '{\"changed\": false, \"source\": \"/../../../evil\", \
               \"content\": \"ZXZpbA==\", \"encoding\": \"base64\", \"ansible_facts\": \
               {\"ansible_connection\": \"local\", \"ansible_host\": \"127.0.0.1\", \
               \"ansible_shell_executable\": \"/bin/bash\", \"ansible_become_exe\": \"touch around/become\"}, \
               \"stat\": {\"exists\": true, \"isdir\": false, \"isreg\": true, \"checksum\": \"0\", \
               \"path\": \"/../../../evil\", \"lnk_source\": \"/../../../evil\"}}'";
    change(
        dir.path(),
        &format!(
            "rm /usr/bin/python3; cat >/usr/bin/python3 <<'END'\n#!/bin/sh\n{lie}\nEND\nchmod 755 /usr/bin/python3"
        ),
    );
    let tasks = "    - fetch: {src: /etc/x, dest: around/got/}\n      ignore_errors: true\n    \
                 - fetch: {src: /etc/x, dest: around/got/, validate_checksum: false}\n      \
                 become: true\n      ignore_errors: true\n    - setup:\n    \
                 - command: touch around/as-local\n    - raw: grep -c evil /usr/bin/python3\n      register: r\n    \
                 - assert: {that: \"r.stdout | trim == '1'\"}\n";
    let output = play(dir.path(), tasks);
    let (out, err) = text(&output);
    assert!(
        [0, 5].contains(&output.status.code().unwrap()),
        "{out}{err}"
    );
    assert!(
        !out.contains("assertion failed") && !out.contains("Assertion failed"),
        "{out}"
    );
    let found = crate::support::run(
        std::process::Command::new("find")
            .args([
                ".", "-name", "evil*", "-o", "-name", "become", "-o", "-name", "as-local",
            ])
            .current_dir(dir.path()),
    );
    assert!(
        found.lines().all(|line| line.starts_with("./around/got/")),
        "{found}{out}"
    );
    assert!(!dir.path().parent().unwrap().join("evil").exists());
    let _ = fs::remove_file(dir.path().join("out.img"));
    host.assert_unchanged();
    kept.assert_same(Kept::of_host());
}
