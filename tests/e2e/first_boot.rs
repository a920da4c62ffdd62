//! What only a running machine can have: put off, told, and what is met where it is not.

use std::fs;

use crate::{
    image::Image,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy, raw_image},
};

const TITLE: &str = "==> at first boot:\n";

/// Wherever a task is, and however it is run, what it asks for is known to be its own.
#[test]
fn what_any_boot_does_is_told_with_its_task_and_leaves_nothing() {
    let scene = Scene::with_tasks(
        "- name: Put into the background
  shell: sleep 2; reboot --force
  async: 60
  poll: 0
  register: job
- name: In a loop
  command: 'reboot {{ item }}'
  loop: [--no-sync, --no-sync, --no-wtmp]
  notify: At the end
- include_tasks: more.yml
- name: Wait
  async_status: {jid: '{{ job.ansible_job_id }}'}
  register: waited
  until: waited.finished
  retries: 30
  delay: 1
",
    );
    let play = fs::read_to_string(scene.path("play.yml")).unwrap();
    let handlers = "  handlers:\n    - {name: At the end, command: shutdown -r now}\n";
    fs::write(scene.path("play.yml"), format!("{play}{handlers}")).unwrap();
    let more = "- {name: Included, command: reboot -n}\n- command: sleep 3\n";
    fs::write(scene.path("more.yml"), more).unwrap();
    let ended = Live::start(scene.ansible().arg("-v")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (_, block) = ended.err.split_once(TITLE).expect("the block");
    let mut lines: Vec<_> = block
        .lines()
        .map_while(|line| line.strip_prefix("    any boot does: "))
        .collect();
    // That of the background comes when it comes.
    lines.sort();
    assert_eq!(
        lines,
        [
            "reboot --force (Put into the background, play.yml:4)",
            "reboot --no-sync (In a loop, play.yml:9)",
            "reboot --no-wtmp (In a loop, play.yml:9)",
            "reboot -n (Included, more.yml:1)",
            "shutdown -r now (At the end, play.yml:21)",
        ],
        "{ended:?}"
    );
    let (made, base) = (Image::new(&scene.output()), Image::new(&raw_image()));
    assert!(!made.exists("/var/lib/pichroot"));
    for folder in [
        "/etc/systemd/system",
        "/etc/systemd/system/multi-user.target.wants",
    ] {
        assert_eq!(made.list(folder), base.list(folder));
        assert_eq!(made.inode(folder), base.inode(folder));
    }
    scene.assert_left(&["more.yml", "out.img"]);
}

#[test]
fn nothing_is_told_of_what_is_thrown_away() {
    let scene = Scene::with_tasks("- {command: reboot, check_mode: false}\n");
    let ended = Live::start(scene.ansible().arg("--check")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains(TITLE), "{ended:?}");
    raw_copy(scene.dir(), "x.img");
    for write in [&["--write"][..], &["-v"]] {
        let mut command = pichroot(scene.dir());
        command
            .args(["exec", "x.img", "--checksum", "none"])
            .args(write)
            .args(["--", "reboot"]);
        let ended = Live::start(&mut command).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let told = format!("{TITLE}    any boot does: reboot\n");
        assert_eq!(ended.err.contains(&told), write == ["--write"], "{ended:?}");
    }
    scene.assert_left(&["x.img"]);
}

/// One line for each task, with what was met, and none where the play goes on.
#[test]
fn a_task_that_fails_for_what_an_image_is_is_told_so() {
    const CLOCK: &str = "date --set 12:00";
    let scene = Scene::with_tasks(&format!(
        "- {{name: Ignored, command: {CLOCK}, ignore_errors: true}}
- block: [{{name: Rescued, command: {CLOCK}}}]
  rescue: [{{debug: }}]
- {{name: Another thing, command: ls /nowhere, ignore_errors: true}}
- name: Keep it from changing
  command: 'chattr +i {{{{ item }}}}'
  loop: [/etc/hostname, /etc/hosts]
"
    ));
    let met = |err: &str| {
        let about = err
            .lines()
            .filter(|line| line.contains("for what an image is"));
        about.map(str::to_owned).collect::<Vec<_>>()
    };
    let words = "failed for what an image is";
    let right =
        "the right is one over this machine's kernel; docs/living-machines.md tells what to do";
    let last = format!("warning: Keep it from changing, play.yml:8 {words}: {right}");
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert_eq!(met(&ended.err), std::slice::from_ref(&last), "{ended:?}");
    let ended = Live::start(scene.ansible().args(["-v", "--on-error", "keep"])).end();
    let found = met(&ended.err);
    assert_eq!(found.len(), 3, "{ended:?}");
    assert_eq!(
        found[0],
        format!("    Ignored, play.yml:4 {words}: {right}")
    );
    assert_eq!(
        found[1],
        format!("    Rescued, play.yml:5 {words}: {right}")
    );
    assert_eq!(found[2], last);
    scene.assert_left(&["out.img.failed", "out.img.failed.json"]);
}

/// As in Packer.
#[test]
fn answers_can_be_done_without() {
    let scene = Scene::with_tasks("- {name: Boot, command: reboot}\n");
    let ended = Live::start(scene.ansible().args(["--live", "fail"])).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    assert!(!ended.err.contains(TITLE), "{ended:?}");
    let told = "warning: Boot, play.yml:4 failed for what an image is: no systemd runs in an image";
    assert!(ended.err.contains(told), "{ended:?}");
    fs::write(scene.path("pichroot.yml"), "live: fail\n").unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    let ended = Live::start(scene.ansible().args(["--live", "first-boot"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.assert_left(&["out.img", "pichroot.yml"]);
}

const UNIT: &str = "/etc/systemd/system/pichroot-first-boot.service";
const PLACE: &str = "/var/lib/pichroot/first-boot";

#[test]
fn what_neither_a_file_nor_every_boot_does_is_in_a_unit() {
    let scene = Scene::with_tasks(
        "- copy:
    dest: /etc/systemd/system/once.service
    content: |
      [Service]
      ExecStart=/usr/bin/sleep infinity
- {name: Start it, systemd_service: {name: once, state: started, daemon_reload: true}}
",
    );
    let told =
        "    by pichroot-first-boot.service: systemctl start once.service (Start it, play.yml:9)\n";
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains(told), "{ended:?}");
    let made = Image::new(&scene.output());
    let step = made.cat(&format!("{PLACE}/steps/00001"));
    let lines: Vec<_> = step.lines().collect();
    assert_eq!(
        lines,
        [
            "# systemctl start once.service (Start it, play.yml:9)",
            "systemctl start once.service"
        ]
    );
    for (path, mode) in [
        (PLACE.to_owned(), "0700"),
        (format!("{PLACE}/steps/00001"), "0600"),
        (UNIT.to_owned(), "0644"),
    ] {
        let inode = made.inode(&path);
        assert_eq!((inode.mode.as_str(), inode.user), (mode, 0), "{path}");
    }
    let link = "/etc/systemd/system/multi-user.target.wants/pichroot-first-boot.service";
    assert_eq!(made.link(link), UNIT);
    made.assert_clean(scene.dir());

    // Another run adds to it.
    fs::rename(scene.output(), scene.path("first.img")).unwrap();
    let ended = Live::start(&mut scene.ansible_on(&scene.path("first.img"))).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let earlier = format!("{told}    before these the unit does the step of an earlier run\n");
    assert!(ended.err.contains(&earlier), "{ended:?}");
    let made = Image::new(&scene.output());
    assert_eq!(made.list(&format!("{PLACE}/steps")), ["00001", "00002"]);

    fs::remove_file(scene.output()).unwrap();
    let ended = Live::start(scene.ansible().args(["--first-boot", "off"])).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    let why = "there is to be no unit for the first boot: systemctl start once.service";
    assert!(ended.out.contains(why), "{ended:?}");
    scene.assert_left(&["first.img"]);
}
