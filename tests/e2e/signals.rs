//! Ending a run by a signal: from another program, and by Ctrl-C in a terminal.

use std::{fs, os::unix::fs::PermissionsExt};

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGTERM};

use crate::{
    image::Image,
    live::Live,
    scene::Scene,
    support::{base_image, pichroot, raw_copy},
    terminal::Terminal,
};

/// Far longer than any test waits.
const LONG: &str = "- raw: sleep 600\n";

fn stop_a_task(signal: Signal, code: i32) {
    let scene = Scene::with_tasks(LONG);
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("sleep");
    live.signal(signal);
    live.end().assert_error(code, "stopped by SIG");
    scene.assert_left(&[]);
}

/// A stand-in, as Ansible itself does not tell by what it was ended: asked, and let end by itself.
#[test]
fn ansible_is_asked_to_end_before_it_is_killed() {
    for (signal, code) in [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] {
        let scene = Scene::with_tasks(LONG);
        let script = "#!/bin/sh\nfor name in INT TERM HUP; do trap \"end $name\" $name; done\n\
                      end() { sleep 1; echo by itself, after $1; exit 1; }\n\
                      echo ready\nwhile :; do sleep 0.1; done\n";
        let stand_in = scene.path("stand-in");
        fs::write(&stand_in, script).unwrap();
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!("ansible: {{command: {}}}\n", stand_in.display());
        fs::write(scene.path("stand-in.yml"), config).unwrap();
        let mut live = Live::start(scene.ansible().args(["--config", "stand-in.yml"]));
        live.wait_for_text("ready");
        live.signal(signal);
        let ended = live.end();
        ended.assert_error(code, "stopped by SIG");
        let name = &signal.as_str()["SIG".len()..];
        let said = format!("by itself, after {name}\n");
        assert!(ended.out.contains(&said), "{ended:?}");
        scene.assert_left(&["stand-in", "stand-in.yml"]);
    }
}

#[test]
fn sigint_ends_a_task() {
    stop_a_task(SIGINT, 130);
}

#[test]
fn sigterm_ends_a_task() {
    stop_a_task(SIGTERM, 143);
}

#[test]
fn a_hangup_ends_a_task() {
    stop_a_task(SIGHUP, 129);
}

/// A module, unlike `raw`, is Python in the image with a program below it.
#[test]
fn sigterm_ends_a_module_with_its_program() {
    let scene = Scene::with_tasks("- command: sleep 600\n");
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("sleep");
    live.signal(SIGTERM);
    live.end().assert_error(143, "stopped by SIGTERM");
    scene.assert_left(&[]);
}

#[test]
fn a_signal_while_decompressing_ends_that() {
    for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
        let scene = Scene::with_tasks(LONG);
        let mut command = scene.ansible_on(base_image());
        let mut live = Live::start(scene.with_own_cache(&mut command));
        live.wait_for_text("decompressing");
        live.signal(signal);
        live.end().assert_error(code, "stopped by SIG");
        let bases = fs::read_dir(scene.path("cache/bases")).unwrap();
        assert_eq!(bases.count(), 0, "a partly unpacked image is left");
        scene.assert_left(&[]);
    }
}

#[test]
fn a_signal_while_starting_ends_that() {
    let scene = Scene::with_tasks(LONG);
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("pichroot-stage");
    live.signal(SIGTERM);
    live.end().assert_error(143, "stopped by SIGTERM");
    scene.assert_left(&[]);
}

#[test]
fn a_signal_while_an_image_is_opened_in_place_leaves_nothing_in_it() {
    let scene = Scene::new();
    let image = Image::new(&raw_copy(scene.dir(), "x.img"));
    let base = image.list("/etc/apt/apt.conf.d");
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--write", "--emulation", "twin", "x.img"])
        .args(["--checksum", "none", "--", "true"]);
    // With nothing in the cache the search takes long.
    let mut live = Live::start(scene.with_own_cache(&mut command));
    live.wait_for_process("pichroot-executor");
    live.signal(SIGINT);
    live.end().assert_error(130, "stopped by SIGINT");
    assert_eq!(image.list("/etc/apt/apt.conf.d"), base);
    image.assert_clean(scene.dir());
    scene.assert_left(&["x.img"]);
}

/// The image has been provisioned, but what is not checked is not published.
#[test]
fn a_signal_while_finishing_still_means_no_output() {
    let scene = Scene::with_tasks("- raw: \"true\"\n");
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("e2fsck");
    live.signal(SIGINT);
    live.end().assert_error(130, "stopped by SIGINT");
    scene.assert_left(&[]);
}

/// The terminal sends SIGINT to pichroot and to Ansible alike.
#[test]
fn ctrl_c_in_a_terminal_ends_the_run_and_leaves_the_terminal_sane() {
    let scene = Scene::with_tasks(LONG);
    let mut terminal = Terminal::run(&scene.ansible());
    let mode = terminal.mode();
    terminal.wait_for_process("sleep");
    terminal.type_keys("\x03");
    assert_eq!(terminal.end(), Some(130), "{}", terminal.screen());
    // By itself, and not killed after the time it is given: that leaves no word of Ansible's.
    assert!(
        terminal.screen().contains("User interrupted execution"),
        "{}",
        terminal.screen()
    );
    assert!(terminal.screen().contains("stopped by SIGINT"));
    assert_eq!(terminal.mode(), mode);
    // Not even for a moment may the cursor stay hidden.
    let screen = terminal.screen();
    assert!(
        screen.rfind("\x1b[?25l") <= screen.rfind("\x1b[?25h"),
        "{screen:?}"
    );
    drop(terminal);
    scene.assert_left(&[]);
}

#[test]
fn ctrl_c_while_decompressing_leaves_the_terminal_sane() {
    let scene = Scene::with_tasks(LONG);
    let mut command = scene.ansible_on(base_image());
    scene.with_own_cache(&mut command);
    let mut terminal = Terminal::run(&command);
    let mode = terminal.mode();
    // The bar.
    terminal.wait_for(" written, ");
    terminal.type_keys("\x03");
    assert_eq!(terminal.end(), Some(130), "{}", terminal.screen());
    assert_eq!(terminal.mode(), mode);
    let screen = terminal.screen();
    assert!(
        screen.rfind("\x1b[?25l") <= screen.rfind("\x1b[?25h"),
        "{screen:?}"
    );
    // The thread that decompresses is still there, but the last word has been said.
    let (_, after) = screen.rsplit_once("error:").unwrap();
    assert!(
        after.contains("stopped by SIGINT") && !after.contains("written"),
        "{screen:?}"
    );
    drop(terminal);
    scene.assert_left(&[]);
}
