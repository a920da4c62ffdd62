//! What tasks and packages expect of a living machine: names of units, and devices.

use std::{os::unix::fs::PermissionsExt, process::Command};

use crate::{image::Image, live::Live, scene::Scene, support::run};

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

/// As makedev and ppp do. Elsewhere than in /dev it is an error still.
#[test]
fn a_package_that_makes_devices_is_configured() {
    let scene = Scene::with_tasks(
        "- copy: {src: nodes.deb, dest: /tmp/nodes.deb}
- raw: apt-get -qy install /tmp/nodes.deb
- raw: test -c /dev/null && test ! -e /dev/null- && ! mknod /srv/null c 1 3
",
    );
    let package = scene.path("nodes");
    let control = package.join("DEBIAN");
    std::fs::create_dir_all(&control).unwrap();
    let text = "Package: nodes\nVersion: 1\nArchitecture: all\nDescription: a test\n\
                Maintainer: Nobody <nobody@example.org>\n";
    std::fs::write(control.join("control"), text).unwrap();
    let script = "#!/bin/sh\nset -e\ncd /dev\nmknod -m 660 tty9- c 4 9\nmv tty9- tty9\n\
                  chmod g-r,o= /dev/tty[0-9]*\n! mknod null- c 1 3\nmknod /dev/ppp c 108 0\n\
                  ! mknod /srv/null c 1 3\n";
    std::fs::write(control.join("postinst"), script).unwrap();
    std::fs::set_permissions(control.join("postinst"), PermissionsExt::from_mode(0o755)).unwrap();
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .arg(&package)
        .arg(scene.path("nodes.deb")));
    std::fs::remove_dir_all(package).unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    let status = made.cat("/var/lib/dpkg/status");
    assert!(status.contains("Package: nodes\nStatus: install ok installed\n"));
    assert!(!made.exists("/dev/ppp") && !made.exists("/srv/null"));
    let conf = made.list("/etc/apt/apt.conf.d");
    assert!(
        !conf.iter().any(|name| name.contains("pichroot")),
        "{conf:?}"
    );
    scene.assert_left(&["nodes.deb", "out.img"]);
}
