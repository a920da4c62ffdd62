//! Names of units, as tasks use them.

use crate::{image::Image, live::Live, scene::Scene};

/// On Debian ssh.service has it, in a link that it has while it is enabled.
#[test]
fn a_task_finds_a_service_by_its_alias() {
    let scene = Scene::with_tasks(
        "- systemd: {name: sshd, state: restarted}
- service: {name: sshd, state: started, enabled: true}
  register: enabled
- assert: {that: not enabled.changed}
- systemd: {name: sshd.service, masked: false, enabled: true}
- systemd: {name: nosuch, state: started}
  register: missing
  failed_when: \"'Could not find the requested service nosuch' not in missing.msg\"
- systemd: {name: sshd, enabled: false}
",
    );
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    let wants = made.list("/etc/systemd/system/multi-user.target.wants");
    assert!(!wants.contains(&"ssh.service".into()), "{wants:?}");
    scene.assert_left(&["out.img"]);
}
