//! `pichroot exec`.

use crate::{
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
