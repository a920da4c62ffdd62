//! `pichroot exec`.

use nix::sys::signal::Signal;

use crate::{
    image::Image,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy, raw_image},
};

#[test]
fn a_commands_output_and_exit_code_come_through_and_its_changes_are_thrown_away() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "x.img");
    let modified = || std::fs::metadata(&image).unwrap().modified().unwrap();
    let before = modified();
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "x.img", "--checksum", "none", "--", "sh", "-c"])
        .arg("uname -m; touch /etc/touched; exit 7");
    let ended = Live::start(&mut command).end();
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert_eq!(ended.out, "aarch64\n");
    assert_eq!(modified(), before);
    scene.assert_left(&["x.img"]);
}

/// apt verifies signatures as a user of its own, and every shell script writes to /dev/null.
#[test]
fn the_devices_are_for_every_user() {
    let scene = Scene::new();
    let script = "stat -c '%a %n' null zero full random urandom tty; \
                  su -s /bin/sh nobody -c 'echo lost > null && echo written'";
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--checksum", "none"])
        .arg(raw_image())
        .args(["--", "sh", "-c", &format!("cd /dev; {script}")]);
    let ended = Live::start(&mut command).end();
    let modes = "666 null\n666 zero\n666 full\n666 random\n666 urandom\n666 tty\n";
    assert_eq!(ended.out, format!("{modes}written\n"), "{ended:?}");
    scene.assert_left(&[]);
}

/// For real, fsync(2) of a pipe is EINVAL. What is changed in place is not thrown away when the power goes.
#[test]
fn an_image_that_is_changed_in_place_has_its_syncs() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    let mut codes = Vec::new();
    for write in [&["--write"][..], &[]] {
        let mut command = pichroot(scene.dir());
        command
            .args(["exec", "-v", "x.img", "--checksum", "none"])
            .args(write)
            .args(["--", "python3", "-c", "import os; os.fsync(os.pipe()[1])"]);
        let ended = Live::start(&mut command).end();
        let said = "the shortcut sync is not taken: --write ";
        assert_eq!(ended.err.contains(said), !write.is_empty(), "{ended:?}");
        codes.push(ended.code);
    }
    assert_eq!(codes, [Some(1), Some(0)]);
    scene.assert_left(&["x.img"]);
}

/// Links of a run that was killed do not stay, and are not taken for the image's own.
#[test]
fn what_a_killed_run_has_left_in_an_image_goes_with_the_next() {
    let scene = Scene::new();
    let image = Image::new(&raw_copy(scene.dir(), "x.img"));
    let hooks = "/etc/apt/apt.conf.d/zz-pichroot";
    let base = image.list("/etc/apt/apt.conf.d");
    let exec = |script: &str| {
        let mut command = pichroot(scene.dir());
        command
            .args(["exec", "-v", "--write", "x.img", "--checksum", "none"])
            .args(["--", "sh", "-c", script]);
        command
    };
    let mut running = Live::start(&mut exec("echo running; sleep 1000"));
    running.wait_for_text("running");
    running.signal(Signal::SIGKILL);
    running.end();
    scene.host().assert_unchanged();
    assert!(image.exists(hooks));
    let ended = Live::start(&mut exec(
        "apt-config dump APT::Update::Post-Invoke-Success",
    ))
    .end();
    assert!(ended.out.contains("update-success-stamp"), "{ended:?}");
    assert!(!ended.err.contains("apt-hooks is not taken"), "{ended:?}");
    assert_eq!(image.list("/etc/apt/apt.conf.d"), base);
    scene.assert_left(&["x.img"]);
}
