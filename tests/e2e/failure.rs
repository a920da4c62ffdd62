//! A playbook that fails.

use crate::{image::Image, live::Live, scene::Scene};

/// Changes something first, so that a kept image shows how far it came.
const FAILING: &str = "- raw: echo done > /etc/first\n- raw: echo no >&2; exit 9\n";

#[test]
fn a_failing_task_is_exit_5_and_leaves_nothing() {
    let scene = Scene::with_tasks(FAILING);
    let ended = Live::start(&mut scene.ansible()).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    assert!(ended.out.contains("FAILED!"), "{ended:?}");
    assert!(ended.err.contains("hint: "), "{ended:?}");
    scene.assert_left(&[]);
}

#[test]
fn the_image_of_a_failed_run_is_kept_where_that_was_asked_for() {
    let scene = Scene::with_tasks(FAILING);
    let ended = Live::start(scene.ansible().args(["--on-error", "keep"])).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    let kept = scene.path("out.img.failed");
    assert!(ended.err.contains(&kept.display().to_string()), "{ended:?}");
    let image = Image::new(&kept);
    assert_eq!(image.cat("/etc/first"), "done\n");
    // Also a failed run unmounts in order, so that nothing is to be repaired.
    image.assert_clean(scene.dir());
    assert!(!image.exists("/usr/sbin/policy-rc.d"));
    scene.assert_left(&["out.img.failed", "out.img.failed.json"]);
}

#[test]
fn an_unreachable_interpreter_is_the_playbooks_failure_too() {
    let scene =
        Scene::with_tasks("- ping:\n  vars: {ansible_python_interpreter: /nowhere/python3}\n");
    let ended = Live::start(&mut scene.ansible()).end();
    ended.assert_error(5, "ansible-playbook ended with exit code");
    scene.assert_left(&[]);
}
