//! `kill -9` of each process at each phase: the kernel alone cleans up, and no output appears.

use std::{fs, process::Command};

use nix::sys::signal::{Signal::SIGKILL, kill};

use crate::{
    live::{Ended, Live},
    scene::Scene,
    support::{base_image, pichroot, raw_image, run},
};

const LONG: &str = "- raw: sleep 600\n";
const SHORT: &str = "- raw: \"true\"\n";
const STAGE: &str = "pichroot-stage";
const EXECUTOR: &str = "pichroot-executor";
/// The check of the unmounted file systems: the last thing before the output appears.
const FINISHING: &str = "e2fsck";

/// Kills `victim` as soon as there is a process called `phase`; returns how the run ended.
fn kill_at(scene: &Scene, tasks: &str, phase: &str, victim: &str) -> Ended {
    scene.write_play(tasks);
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process(phase);
    let pid = match victim {
        "pichroot" => live.pid(),
        name => live.wait_for_process(name),
    };
    kill(pid, SIGKILL).expect("it runs");
    live.end()
}

/// Nobody is left to take the stage's directory away: it stays, empty, until the next run.
fn assert_swept_by_the_next_run(scene: &Scene) {
    let ours = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name.starts_with("pichroot-")).then(|| entry.path())
    };
    let left: Vec<_> = fs::read_dir("/run")
        .unwrap()
        .flatten()
        .filter_map(ours)
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    scene.host().assert_unchanged_but(&left[0]);
    assert_eq!(
        fs::read_dir(&left[0]).unwrap().count(),
        0,
        "{left:?} is not empty"
    );
    run(pichroot(scene.dir())
        .args(["exec", "--checksum", "none"])
        .arg(raw_image())
        .args(["--", "true"]));
    assert!(!left[0].exists(), "{left:?} was not swept");
}

fn kill_the_supervisor_at(tasks: &str, phase: &str) {
    let scene = Scene::new();
    let ended = kill_at(&scene, tasks, phase, "pichroot");
    assert_eq!(ended.code, None, "{ended:?}");
    assert_swept_by_the_next_run(&scene);
    scene.assert_left(&[]);
}

#[test]
fn the_supervisor_while_decompressing() {
    let scene = Scene::with_tasks(LONG);
    let mut command = scene.ansible_on(base_image());
    let mut live = Live::start(scene.with_own_cache(&mut command));
    live.wait_for_text("decompressing");
    live.signal(SIGKILL);
    assert_eq!(live.end().code, None);
    let bases = fs::read_dir(scene.path("cache/bases")).unwrap();
    assert_eq!(bases.count(), 0, "a partly unpacked image is left");
    // No stage yet, so no directory of one either.
    scene.assert_left(&[]);
    // The cache, with the lock of the dead, serves the next run.
    let mut again = Command::new(env!("CARGO_BIN_EXE_pichroot"));
    again.args(["exec", "--checksum", "none"]).arg(raw_image());
    run(scene.with_own_cache(again.args(["--", "true"])));
}

#[test]
fn the_supervisor_while_mounting() {
    kill_the_supervisor_at(LONG, STAGE);
}

#[test]
fn the_supervisor_while_the_executor_starts() {
    kill_the_supervisor_at(LONG, EXECUTOR);
}

#[test]
fn the_supervisor_during_a_task() {
    kill_the_supervisor_at(LONG, "sleep");
}

#[test]
fn the_supervisor_while_finishing() {
    kill_the_supervisor_at(SHORT, FINISHING);
}

fn kill_a_part_at(tasks: &str, phase: &str, victim: &str, code: i32, message: &str) {
    let scene = Scene::new();
    let ended = kill_at(&scene, tasks, phase, victim);
    ended.assert_error(code, message);
    scene.assert_left(&[]);
}

#[test]
fn the_stage_while_mounting() {
    kill_a_part_at(LONG, STAGE, STAGE, 1, "the stage was killed");
}

#[test]
fn the_stage_during_a_task() {
    kill_a_part_at(LONG, "sleep", STAGE, 1, "the stage was killed");
}

#[test]
fn the_stage_while_finishing() {
    kill_a_part_at(SHORT, FINISHING, STAGE, 1, "the stage was killed");
}

#[test]
fn the_executor_while_it_starts() {
    kill_a_part_at(LONG, EXECUTOR, EXECUTOR, 3, "the executor");
}

#[test]
fn the_executor_during_a_task() {
    kill_a_part_at(
        LONG,
        "sleep",
        EXECUTOR,
        1,
        "the executor of the image was killed",
    );
}

#[test]
fn ansible_while_it_starts() {
    let phase = "ansible-playbook";
    kill_a_part_at(LONG, phase, phase, 5, "killed by signal 9");
}

#[test]
fn ansible_during_a_task() {
    kill_a_part_at(LONG, "sleep", "ansible-playbook", 5, "killed by signal 9");
}

#[test]
fn the_file_system_check() {
    kill_a_part_at(SHORT, FINISHING, FINISHING, 3, "e2fsck");
}

/// Ansible is told, and so is the user; the task's other processes are gone.
#[test]
fn the_client_of_a_command() {
    let scene = Scene::new();
    let ended = kill_at(&scene, LONG, "sleep", "chroot");
    ended.assert_error(5, "ansible-playbook ended with exit code");
    scene.assert_left(&[]);
}
