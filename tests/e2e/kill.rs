//! `kill -9` of the supervisor at each phase: the kernel alone cleans up, and no output appears.

use std::{fs, process::Command};

use nix::sys::signal::{Signal::SIGKILL, kill};

use crate::{
    ended::Ended,
    live::Live,
    scene::Scene,
    support::{base_image, raw_image, run},
};

pub const LONG: &str = "- raw: sleep 600\n";
pub const SHORT: &str = "- raw: \"true\"\n";
pub const STAGE: &str = "pichroot-stage";
pub const EXECUTOR: &str = "pichroot-executor";
/// The check of the unmounted file systems: the last thing before the output appears.
pub const FINISHING: &str = "e2fsck";

/// Kills `victim` as soon as there is a process called `phase`; returns how the run ended.
pub fn kill_at(scene: &Scene, tasks: &str, phase: &str, victim: &str) -> Ended {
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

fn kill_the_supervisor_at(tasks: &str, phase: &str) {
    let scene = Scene::new();
    let ended = kill_at(&scene, tasks, phase, "pichroot");
    assert_eq!(ended.code, None, "{ended:?}");
    scene.host().assert_unchanged();
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

/// Of the real image: some hundred MiB, so that it takes a while.
#[test]
fn the_supervisor_while_outputs_are_made() {
    for output in ["out.img.xz", "out.tar.xz", "tree/"] {
        let scene = Scene::with_tasks(SHORT);
        let mut live = Live::start(scene.ansible().args(["-o", output]));
        live.wait_for_text("making ");
        live.signal(SIGKILL);
        assert_eq!(live.end().code, None, "{output}");
        scene.host().assert_unchanged();
        scene.assert_left(&[]);
    }
}
