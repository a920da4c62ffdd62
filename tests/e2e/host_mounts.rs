//! What the host unmounts during a run is unmounted.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use crate::{
    kill::LONG,
    live::Live,
    processes::descendants,
    scene::Scene,
    support::{run, text, wait_for},
};

/// A run's mounts are copies of the host's, also in the process that looks for twins and in ansible-playbook. A card
/// that was only unmounted for the host would be pulled out with what was written still in memory.
#[test]
fn a_card_that_is_unmounted_during_a_run_can_be_pulled_out() {
    let scene = Scene::with_tasks(LONG);
    // As systemd has it, and these tests' own namespace has not.
    propagation("rshared");
    let (card, at) = (scene.path("card.img"), scene.path("card"));
    run(Command::new("mke2fs")
        .args(["-q", "-t", "ext4"])
        .arg(&card)
        .arg("8M"));
    fs::create_dir(&at).unwrap();
    run(Command::new("mount")
        .args(["-n", "-o", "loop"])
        .args([&card, &at]));
    let mut live = Live::start(&mut scene.ansible());
    live.wait_for_process("sleep");
    fs::write(at.join("photo"), "written during the run").unwrap();
    let device = fs::metadata(&at).unwrap().dev();
    for name in ["pichroot-stage", "pichroot-twins", "ansible-playbook"] {
        // Otherwise there would be nothing to see.
        let pid = live.wait_for_process(name);
        let seen = fs::metadata(format!("/proc/{pid}/root{}", at.display()));
        assert_eq!(seen.unwrap().dev(), device, "{name}");
    }
    let unmounted = umount(&at);
    let still: Vec<_> = descendants(live.pid())
        .into_iter()
        .filter(|p| {
            let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", p.pid));
            mounts.is_ok_and(|text| text.contains(at.to_str().unwrap()))
        })
        .map(|p| p.argv.join(" "))
        .collect();
    // The loop device goes with its last user.
    let attached = || run(Command::new("losetup").arg("-j").arg(&card));
    let free = || attached().is_empty().then_some(());
    let pulled = still.is_empty() && unmounted.status.success();
    if pulled {
        wait_for(
            "the card's device to be free",
            Duration::from_secs(10),
            free,
        );
    }
    let photo = run(Command::new("debugfs")
        .args(["-R", "cat /photo"])
        .arg(&card));
    live.signal(nix::sys::signal::SIGTERM);
    live.end();
    propagation("rprivate");
    fs::remove_dir(&at).unwrap();
    assert!(pulled, "still mounted in {still:?}; {}", text(&unmounted).1);
    assert_eq!(photo, "written during the run");
    scene.assert_left(&["card.img"]);
}

fn propagation(how: &str) {
    run(Command::new("mount").arg(format!("--make-{how}")).arg("/"));
}

fn umount(at: &Path) -> Output {
    let mut umount = Command::new("umount");
    umount.arg("-n").arg(at).output().expect("umount runs")
}
