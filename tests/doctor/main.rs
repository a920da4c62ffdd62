//! `pichroot doctor`: its document, its table, its exit code, and that it leaves the host alone.

#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use support::{Host, pichroot, text};

/// Held by each test: one of them compares the host before and after.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `pichroot doctor --json`; its exit code and its checks.
fn checks(command: &mut Command) -> (i32, Vec<Value>) {
    let output = command.args(["doctor", "--json"]).output().unwrap();
    let document: Value = serde_json::from_str(&text(&output).0).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    let checks = document["checks"].as_array().unwrap().clone();
    let missing = checks.iter().any(|check| check["status"] == "missing");
    assert_eq!(document["ready"], !missing);
    let code = output.status.code().unwrap();
    assert_eq!(code, if missing { 3 } else { 0 }, "{:?}", text(&output));
    (code, checks)
}

fn check<'a>(checks: &'a [Value], id: &str) -> &'a Value {
    checks.iter().find(|check| check["id"] == id).expect(id)
}

/// An ansible-playbook in `dir` that prints `version` only.
fn fake_ansible(dir: &Path, version: &str) {
    let path = dir.join("ansible-playbook");
    let line = format!("#!/bin/sh\necho '{version}'\n");
    fs::write(&path, line).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_machine_that_can_says_so_in_either_form_and_stays_as_it_is() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let before = Host::now();
    let (code, checks) = checks(&mut pichroot(dir.path()));
    assert_eq!(code, 0, "{checks:?}");
    before.assert_unchanged();
    for check in &checks {
        let mut keys: Vec<_> = check.as_object().unwrap().keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["found", "id", "run", "status"]);
    }
    let manual = fs::read_to_string(support::checkout().join("docs/doctor.md")).unwrap();
    for check in &checks {
        let id = check["id"].as_str().unwrap();
        assert!(
            manual.contains(&format!("`{id}`")),
            "docs/doctor.md tells of {id}"
        );
    }
    let output = pichroot(dir.path()).arg("doctor").output().unwrap();
    let (table, messages) = text(&output);
    assert_eq!(messages, "");
    assert_eq!(
        table.lines().count(),
        checks.iter().fold(0, |n, check| {
            n + if check["run"].is_null() { 1 } else { 2 }
        })
    );
    for check in &checks {
        let line = table
            .lines()
            .find(|line| line.contains(check["id"].as_str().unwrap()));
        assert!(line.unwrap().starts_with(check["status"].as_str().unwrap()));
    }
}

#[test]
fn without_ansible_the_exit_code_is_3_and_the_command_is_named() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let bare = |command: &mut Command| {
        command
            .env("PATH", "/usr/sbin:/sbin")
            .env("PICHROOT_DATA_DIR", "/nonexistent");
    };
    let mut command = pichroot(dir.path());
    bare(&mut command);
    let (code, checks) = checks(&mut command);
    assert_eq!(code, 3);
    let ansible = check(&checks, "ansible");
    assert_eq!(ansible["status"], "missing");
    assert!(
        ansible["run"]
            .as_str()
            .unwrap()
            .contains("pip install ansible")
    );

    let mut command = pichroot(dir.path());
    bare(&mut command);
    let output: Output = command.arg("doctor").output().unwrap();
    let (table, messages) = text(&output);
    assert_eq!(output.status.code(), Some(3));
    assert!(table.contains("run: "), "{table}");
    assert_eq!(messages.matches("error:").count(), 1, "{messages}");
    assert_eq!(messages.matches("hint:").count(), 1, "{messages}");
}

#[test]
fn ansible_is_judged_by_its_version_and_its_collections() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    for (version, status) in [
        ("ansible-playbook [core 2.14.18]", "missing"),
        ("ansible-playbook [core 2.16.3]", "ok"),
        ("ansible-playbook [core 2.99.0]", "warning"),
        ("nonsense", "missing"),
    ] {
        fake_ansible(dir.path(), version);
        let (_, checks) = checks(pichroot(dir.path()).env("PATH", &path));
        assert_eq!(check(&checks, "ansible")["status"], status, "{version}");
        if version != "nonsense" {
            let plugin = check(&checks, "community.general");
            assert_eq!(plugin["status"], "warning");
            let galaxy = format!("{}/ansible-galaxy collection install", dir.path().display());
            assert!(plugin["run"].as_str().unwrap().starts_with(&galaxy));
        }
    }
}

#[test]
fn the_configured_ansible_is_the_one_that_is_judged() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("own")).unwrap();
    fake_ansible(&dir.path().join("own"), "ansible-playbook [core 2.17.1]");
    let config = "ansible: {command: own/ansible-playbook}\n";
    fs::write(dir.path().join("pichroot.yml"), config).unwrap();
    let (_, checks) = checks(&mut pichroot(dir.path()));
    let found = check(&checks, "ansible")["found"].as_str().unwrap();
    assert!(
        found.contains("own/ansible-playbook, core 2.17.1"),
        "{found}"
    );
}

#[test]
fn without_root_it_still_looks_and_says_what_needs_root() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The build may be in a folder that only root can enter.
    let program = dir.path().join("pichroot");
    fs::copy(env!("CARGO_BIN_EXE_pichroot"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .current_dir(dir.path())
        .env("PICHROOT_CACHE_DIR", dir.path().join("cache"));
    let (code, checks) = checks(&mut command);
    assert_eq!(code, 3);
    let root = check(&checks, "root");
    assert_eq!(root["status"], "missing");
    assert_eq!(root["run"], "sudo pichroot doctor");
    assert_eq!(check(&checks, "cache")["status"], "missing");
    assert_eq!(check(&checks, "trial")["status"], "warning");
    assert_eq!(check(&checks, "e2fsck")["status"], "ok");
}
