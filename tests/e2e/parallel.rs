//! Two runs at once.

use std::process::Command;

use crate::{
    live::Live,
    scene::Scene,
    support::{base_image, pichroot, raw_copy},
};

const SHORT: &str = "- raw: \"true\"\n";
const LONG: &str = "- raw: sleep 600\n";

#[test]
#[ignore = "long: make test-all"]
fn two_outputs_are_made_from_an_image_that_is_unpacked_once() {
    let scene = Scene::with_tasks(SHORT);
    let start = |output: &str| {
        let mut command = pichroot(scene.dir());
        command
            .args(["ansible", "play.yml", "--checksum", "none", "-o", output])
            .arg("--image")
            .arg(base_image());
        Live::start(scene.with_own_cache(&mut command))
    };
    let runs = [start("a.img"), start("b.img")];
    let ends = runs.map(Live::end);
    for ended in &ends {
        assert_eq!(ended.code, Some(0), "{ends:?}");
    }
    let said = |text| ends.iter().filter(|e| e.err.contains(text)).count();
    assert_eq!(said("==> decompressing"), 1, "{ends:?}");
    assert_eq!(said("waiting for another run that fetches"), 1, "{ends:?}");
    scene.assert_left(&["a.img", "b.img"]);
}

#[test]
fn one_output_is_made_by_one_run() {
    let scene = Scene::with_tasks(LONG);
    let mut first = Live::start(&mut scene.ansible());
    first.wait_for_process("sleep");
    let second = Live::start(&mut scene.ansible()).end();
    second.assert_error(3, "out.img is being made by another run");
    first.signal(nix::sys::signal::Signal::SIGTERM);
    first.end().assert_error(143, "stopped");
    scene.assert_left(&[]);
}

#[test]
fn an_image_is_changed_in_place_by_one_run() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    let exec = |script: &str| -> Command {
        let mut command = pichroot(scene.dir());
        command.args(["exec", "--write", "x.img", "--checksum", "none", "--"]);
        command.args(["sh", "-c", script]);
        command
    };
    let mut first = Live::start(&mut exec("sleep 600"));
    first.wait_for_process("sleep");
    let second = Live::start(&mut exec("true")).end();
    second.assert_error(3, "x.img is in use by another pichroot");
    first.signal(nix::sys::signal::Signal::SIGTERM);
    first.end().assert_error(143, "stopped");
    // The lock has gone with the first.
    let third = Live::start(&mut exec("echo kept > /etc/kept")).end();
    assert_eq!(third.code, Some(0), "{third:?}");
    let image = crate::image::Image::new(&scene.path("x.img"));
    assert_eq!(image.cat("/etc/kept"), "kept\n");
    image.assert_clean(scene.dir());
    scene.assert_left(&["x.img"]);
}
