//! `kill -9` of the other processes at each phase: the supervisor cleans up, and says what happened.

use nix::sys::signal::{Signal::SIGKILL, kill};

use crate::{
    kill::{EXECUTOR, FINISHING, LONG, SHORT, STAGE, kill_at},
    live::Live,
    scene::Scene,
};

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
    let scene = Scene::with_tasks(LONG);
    let mut live = Live::start(scene.ansible().args(["--executor", "plain"]));
    live.wait_for_process("sleep");
    kill(live.wait_for_process("chroot"), SIGKILL).expect("it runs");
    let ended = live.end();
    ended.assert_error(5, "ansible-playbook ended with exit code");
    scene.assert_left(&[]);
}
