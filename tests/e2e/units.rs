//! Units as tasks see them: those that boot starts run, and what is started and stopped is seen by later tasks.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::{
    image::Image,
    live::Live,
    scene::Scene,
    support::{pichroot, run},
};

const UNITS: &str = "- copy: {dest: /etc/systemd/system/app.service, content: \"[Unit]\\nDescription=App\\n[Service]\\n\
                     ExecStart=/bin/sleep 1000\\nExecReload=/bin/true\\nRuntimeDirectory=app\\nUser=ubuntu\\n[Install]\\n\
                     WantedBy=multi-user.target\\n\"}
- copy: {dest: /etc/systemd/system/job.service, content: \"[Service]\\nType=oneshot\\nExecStart=/bin/true\\n\"}
";

/// The tasks' results are a running machine's, and the first boot does what no boot does.
#[test]
fn modules_find_units_as_on_a_running_machine() {
    let scene = Scene::with_tasks(&format!(
        "{UNITS}\
- systemd_service: {{name: app, state: started, daemon_reload: true}}
  register: first
- systemd_service: {{name: app, state: started}}
  register: second
- systemd_service: {{name: app, state: restarted}}
  register: again
- systemd_service: {{name: app, state: reloaded}}
  register: reloaded
- service: {{name: ssh, state: started, enabled: true}}
  register: ssh
- service: {{name: ssh, state: restarted}}
  register: restarted
- command: systemctl start job
- systemd_service: {{name: job, state: started}}
  register: job
- stat: {{path: /run/app}}
  register: folder
- assert:
    that:
      - first.changed and first.status.ActiveState == 'inactive' and first.status.LoadState == 'loaded'
      - not second.changed and second.status.SubState == 'running' and second.status.UnitFileState == 'disabled'
      - again.changed and reloaded.changed and restarted.changed and job.changed
      - not ssh.changed and ssh.enabled and ssh.status.FragmentPath == '/lib/systemd/system/ssh.service'
      - folder.stat.pw_name == 'ubuntu' and folder.stat.mode == '0755'
- systemd_service: {{name: '{{{{ item }}}}', state: started}}
  register: missing
  failed_when: \"'Could not find the requested service' not in missing.msg\"
  loop: [nosuch, nosuch.timer]
- systemd_service: {{name: fstrim.timer, state: stopped}}
- service_facts:
- assert:
    that:
      - services['ssh.service'].state == 'running' and services['ssh.service'].status == 'enabled'
      - services['app.service'].state == 'running' and services['app.service'].status == 'disabled'
      - services['job.service'].state != 'running'
- setup: {{gather_subset: ['!all', systemd, service_mgr]}}
- assert: {{that: [ansible_facts.systemd.version == 252, ansible_facts.service_mgr == 'systemd']}}
"
    ));
    let ended = Live::start(scene.ansible().arg("-v")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("Target is a chroot"), "{ended:?}");
    let (_, block) = ended
        .err
        .split_once("==> at first boot:\n")
        .expect("the block");
    let told: Vec<&str> = block
        .lines()
        .map_while(|line| line.strip_prefix("    "))
        .map(|line| line.split(" (").next().unwrap())
        .collect();
    let unit = "by pichroot-first-boot.service: ";
    let wanted = [
        "any boot does: systemctl daemon-reload".to_owned(),
        format!("{unit}systemctl start app.service"),
        format!("{unit}systemctl restart app.service"),
        format!("{unit}systemctl reload app.service"),
        "any boot does: systemctl restart ssh.service".into(),
        format!("{unit}systemctl start job.service"),
        format!("{unit}systemctl start job.service"),
        format!("{unit}systemctl stop fstrim.timer"),
    ];
    assert_eq!(told, wanted, "{ended:?}");
    let made = Image::new(&scene.output());
    let steps = made.list("/var/lib/pichroot/first-boot/steps");
    assert_eq!(steps.len(), 5, "{steps:?}");
    assert!(!made.exists("/run/app") && !made.exists("/run/systemd"));
    scene.assert_left(&["out.img"]);
}

/// A later task may enable what an earlier one has started, and everybody starts handlers last.
#[test]
fn the_end_tells_what_boot_does() {
    let scene = Scene::with_tasks(&format!(
        "{UNITS}\
- systemd_service: {{name: app, state: started}}
- systemd_service: {{name: app, enabled: true}}
  register: enabled
- command: systemctl is-active app
- service: {{name: ssh, state: stopped, enabled: false}}
  register: stopped
- command: systemctl is-active ssh
  register: active
  failed_when: active.rc != 3
- service: {{name: ssh, state: stopped, enabled: false}}
  register: twice
- assert: {{that: [enabled.changed, stopped.changed, not twice.changed, active.stdout == 'inactive']}}
- reboot:
- command: systemctl is-active ssh
  register: active
  failed_when: active.rc != 3
"
    ));
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    assert!(!made.exists("/var/lib/pichroot"), "{ended:?}");
    let wants = made.list("/etc/systemd/system/multi-user.target.wants");
    assert!(
        wants.contains(&"app.service".into()) && !wants.contains(&"ssh.service".into()),
        "{wants:?}"
    );
    scene.assert_left(&["out.img"]);
}

#[test]
fn without_a_first_boot_what_needs_it_is_refused() {
    let scene = Scene::with_tasks(&format!(
        "{UNITS}\
- systemd_service: {{name: ssh, state: restarted}}
- systemd_service: {{name: app, enabled: true, state: started}}
- systemd_service: {{name: job, state: started}}
"
    ));
    let ended = Live::start(scene.ansible().args(["--first-boot", "off"])).end();
    ended.assert_error(5, "ansible-playbook ended with exit code 2");
    let told = ended.out.clone() + &ended.err;
    assert!(
        told.contains("no boot does what this asks for") && told.contains("systemctl start job"),
        "{ended:?}"
    );
    scene.assert_left(&[]);
}

/// sudo takes away what tells systemctl that it is in a chroot, and roles check with the program that will read the file.
#[test]
fn people_have_root_by_sudo_and_check_what_they_write() {
    let scene = Scene::with_tasks(
        "- command: sudo systemctl disable ssh
  become: true
  become_user: ubuntu
  register: disabled
- command: sudo systemctl enable --now ssh
  become: true
  become_user: ubuntu
- command: systemctl stop ssh
  become: true
  become_user: ubuntu
  register: denied
  failed_when: denied.rc != 4
- lineinfile: {path: /etc/ssh/sshd_config, line: 'UseDNS no', validate: /usr/sbin/sshd -t -f %s}
- lineinfile: {path: /etc/ssh/sshd_config, line: 'Nonsense yes', validate: /usr/sbin/sshd -t -f %s}
  register: wrong
  failed_when: \"'Bad configuration option: Nonsense' not in wrong.msg\"
- service: {name: ssh, state: reloaded}
- assert: {that: [\"'Running in chroot' not in disabled.stderr\", \"'Access denied' in denied.stderr\"]}
",
    );
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    let config = made.cat("/etc/ssh/sshd_config");
    assert!(config.contains("UseDNS no") && !config.contains("Nonsense"));
    assert_eq!(
        made.link("/etc/systemd/system/multi-user.target.wants/ssh.service"),
        "/lib/systemd/system/ssh.service"
    );
    assert!(!made.exists("/var/lib/pichroot"));
    scene.assert_left(&["out.img"]);
}

/// Who lingers has a folder, and units that are started at the first boot.
#[test]
fn users_have_units_of_their_own() {
    let scene = Scene::with_tasks(
        "- command: loginctl enable-linger ubuntu
  args: {creates: /var/lib/systemd/linger/ubuntu}
- become: true
  become_user: ubuntu
  environment: {XDG_RUNTIME_DIR: /run/user/1000}
  block:
    - file: {path: ~/.config/systemd/user, state: directory}
    - copy: {dest: ~/.config/systemd/user/mine.service, content: \"[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=default.target\\n\"}
    - systemd_service: {name: mine, scope: user, state: started, daemon_reload: true}
      register: first
    - systemd_service: {name: mine, scope: user, state: started}
      register: second
    - stat: {path: /run/user/1000}
      register: folder
    - assert: {that: [first.changed, not second.changed, folder.stat.pw_name == 'ubuntu', folder.stat.mode == '0700']}
",
    );
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    assert!(made.exists("/var/lib/systemd/linger/ubuntu"));
    let step = made.cat("/var/lib/pichroot/first-boot/steps/00001");
    assert!(step.contains("runuser -u ubuntu -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user start mine.service"), "{step}");
    scene.assert_left(&["out.img"]);
}

/// As debhelper makes its scripts. On a running machine they start the service.
#[test]
fn a_package_brings_a_service_that_runs() {
    let scene = Scene::with_tasks(
        "- copy: {src: little.deb, dest: /tmp/little.deb}
- command: apt-get -qy install /tmp/little.deb
- service: {name: little, state: started, enabled: true}
  register: little
- stat: {path: /run/little}
  register: folder
- command: pgrep --help
  failed_when: false
- assert: {that: [not little.changed, folder.stat.exists]}
- command: apt-get -qy purge little
- command: systemctl status little
  register: gone
  failed_when: gone.rc != 4
",
    );
    let package = scene.path("little");
    let write = |path: &str, text: &str, mode| {
        let path = package.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let control = "Package: little\nVersion: 1\nArchitecture: all\nDescription: a test\n\
                   Maintainer: Nobody <nobody@example.org>\n";
    write("DEBIAN/control", control, 0o644);
    let unit = "[Service]\nExecStart=/usr/bin/touch /srv/started\nRuntimeDirectory=little\n[Install]\n\
                WantedBy=multi-user.target\n";
    write("usr/lib/systemd/system/little.service", unit, 0o644);
    let after = "#!/bin/sh\nset -e\ndeb-systemd-helper unmask little.service >/dev/null\n\
                 deb-systemd-helper enable little.service >/dev/null\ntest -d /run/systemd/system\n\
                 systemctl --system daemon-reload\ndeb-systemd-invoke start little.service\n";
    write("DEBIAN/postinst", after, 0o755);
    let before = "#!/bin/sh\nset -e\ndeb-systemd-invoke stop little.service\n";
    write("DEBIAN/prerm", before, 0o755);
    let end = "#!/bin/sh\nset -e\n[ \"$1\" != purge ] || deb-systemd-helper purge little.service\nsystemctl --system daemon-reload\n";
    write("DEBIAN/postrm", end, 0o755);
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .arg(&package)
        .arg(scene.path("little.deb")));
    fs::remove_dir_all(package).unwrap();
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!Image::new(&scene.output()).exists("/srv/started"));
    scene.assert_left(&["little.deb", "out.img"]);
}

/// Of all units that the image has: our reading of their files, and systemctl's own.
#[test]
fn units_are_enabled_as_systemctl_itself_says() {
    let scene = Scene::new();
    let script = "systemctl list-unit-files --no-legend --no-pager | while read -r unit state rest; do\n\
                  case $unit in *@.*) ;; *) [ $state = alias ] || echo $unit $state;; esac; done | sort >/tmp/itself\n\
                  systemctl show -p Id,UnitFileState $(cut -d' ' -f1 /tmp/itself) | sed 's/.*=//' | paste -sd' \\n\\n' - |\n\
                  sed 's/ $//;/^$/d' | sort >/tmp/ours\n\
                  wc -l </tmp/itself; diff /tmp/itself /tmp/ours && echo same";
    let ended = exec(&scene, script);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let count: usize = ended.out.lines().next().unwrap().trim().parse().unwrap();
    assert!(count > 100 && ended.out.ends_with("same\n"), "{ended:?}");
    scene.assert_left(&[]);
}

fn exec(scene: &Scene, script: &str) -> crate::ended::Ended {
    let image: &Path = &crate::support::raw_image();
    let mut command = pichroot(scene.dir());
    command.args(["exec", "--checksum", "none"]).arg(image);
    Live::start(command.args(["--", "sh", "-c", script])).end()
}
