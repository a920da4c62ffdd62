//! resolv.conf and policy-rc.d, which the build needs and playbooks set.

use std::{fs, process::Command};

use nix::sys::signal::Signal::SIGKILL;

use crate::{
    ended::Ended,
    image::Image,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy, run},
};

const OWN: &str = "nameserver 198.51.100.7\n";

/// A script in the image x.img, which is changed in place.
fn write(scene: &Scene, script: &str) -> Command {
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--write", "--checksum", "none", "x.img"])
        .args(["--", "sh", "-c", script]);
    command
}

fn done(scene: &Scene, script: &str) -> Ended {
    let ended = Live::start(&mut write(scene, script)).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// An image with plain files, as an image from a board's maker may have them.
fn with_plain_files(scene: &Scene) -> Image {
    let image = Image::new(&raw_copy(scene.dir(), "x.img"));
    done(
        scene,
        &format!(
            "rm /etc/resolv.conf; printf '{OWN}' > /etc/resolv.conf; chmod 600 /etc/resolv.conf"
        ),
    );
    assert_eq!(image.cat("/etc/resolv.conf"), OWN);
    image
}

#[test]
fn tasks_do_to_them_what_they_do_on_a_living_machine() {
    let scene = Scene::with_tasks(
        "- lineinfile: {path: /etc/resolv.conf, line: options edns0}
- raw: echo 'search example.org' >> /etc/resolv.conf
- raw: grep -c ^nameserver /etc/resolv.conf
- copy: {dest: /usr/sbin/policy-rc.d, content: \"#!/bin/sh\\nexit 101\\n\", mode: '0755'}
- copy: {src: little.deb, dest: /tmp/little.deb}
- apt: {deb: /tmp/little.deb, policy_rc_d: 101}
- raw: dpkg-divert --local --rename --add /usr/sbin/policy-rc.d
",
    );
    let image = with_plain_files(&scene);
    let package = scene.path("little");
    fs::create_dir_all(package.join("DEBIAN")).unwrap();
    let control = "Package: little\nVersion: 1\nArchitecture: all\nDescription: a test\n\
                   Maintainer: Nobody <nobody@example.org>\n";
    fs::write(package.join("DEBIAN/control"), control).unwrap();
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .arg(&package)
        .arg(scene.path("little.deb")));
    fs::remove_dir_all(package).unwrap();
    let ended = Live::start(&mut scene.ansible_on(&scene.path("x.img"))).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    assert_eq!(
        made.cat("/etc/resolv.conf"),
        format!("{OWN}options edns0\nsearch example.org\n")
    );
    assert_eq!(
        made.inode("/etc/resolv.conf").mode,
        image.inode("/etc/resolv.conf").mode
    );
    assert!(!made.exists("/usr/sbin/policy-rc.d"));
    assert_eq!(
        made.cat("/usr/sbin/policy-rc.d.distrib"),
        "#!/bin/sh\nexit 101\n"
    );
    assert!(
        made.cat("/var/lib/dpkg/status")
            .contains("Package: little\n")
    );
    // And the other ways to set it.
    fs::remove_file(scene.output()).unwrap();
    scene.write_play(
        "- copy: {dest: /etc/resolv.conf, content: \"nameserver 203.0.113.1\\n\"}
- file: {src: ../run/NetworkManager/resolv.conf, dest: /etc/resolv.conf, state: link, force: true}
- raw: grep ^nameserver /etc/resolv.conf
",
    );
    let ended = Live::start(&mut scene.ansible_on(&scene.path("x.img"))).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        made.link("/etc/resolv.conf"),
        "../run/NetworkManager/resolv.conf"
    );
    assert!(!made.exists("/etc/.resolv.conf.pichroot"));
    scene.assert_left(&["little.deb", "out.img", "x.img"]);
}

#[test]
fn names_are_looked_up_as_on_this_machine_wherever_resolv_conf_leads() {
    let scene = Scene::new();
    raw_copy(scene.dir(), "x.img");
    let host = fs::read_to_string("/etc/resolv.conf").unwrap();
    let server = host
        .lines()
        .find(|line| line.starts_with("nameserver"))
        .unwrap();
    let usual = "for link in ../run/systemd/resolve/stub-resolv.conf /run/systemd/resolve/resolv.conf \
                 /run/NetworkManager/resolv.conf ../run/resolvconf/resolv.conf; do \
                 ln -sfn $link /etc/resolv.conf; grep -qx '$0' /etc/resolv.conf || echo $link; done";
    let usual = usual.replace("$0", server);
    let links = [
        "/etc/resolvconf/run/resolv.conf",
        "../tmp/none/resolv.conf",
        "static.conf",
        "/proc/net/pnp",
        "/nowhere/at/all",
        "resolv.conf",
    ];
    let make = |link| format!("ln -sfn {link} /etc/resolv.conf");
    done(
        &scene,
        &format!(
            "mkdir /etc/resolvconf; ln -s /run/resolvconf /etc/resolvconf/run; {}",
            make(links[0])
        ),
    );
    for (at, link) in links.into_iter().enumerate() {
        let image = Image::new(&scene.path("x.img"));
        assert_eq!(image.link("/etc/resolv.conf"), link);
        let next = links
            .get(at + 1)
            .map_or("rm /etc/resolv.conf".into(), |link| make(link));
        let look = format!("grep -qx '{server}' /etc/resolv.conf || echo none; {usual}; {next}");
        assert_eq!(done(&scene, &look).out, "", "{link}");
    }
    let ended = done(&scene, "mv /etc/resolv.conf /tmp; mkdir /etc/resolv.conf");
    assert!(!ended.err.contains("names are not resolved"), "{ended:?}");
    let ended = done(&scene, "true");
    let said = "names are not resolved in the image: /etc/resolv.conf leads nowhere";
    assert!(ended.err.contains(said), "{ended:?}");
}

#[test]
fn a_killed_run_is_repaired_by_the_next_and_what_a_task_put_there_stays() {
    let scene = Scene::new();
    let image = with_plain_files(&scene);
    let before = image.inode("/etc/resolv.conf");
    let killed = |script: &str| {
        let mut live = Live::start(&mut write(
            &scene,
            &format!("{script}; sync; echo now; sleep 600"),
        ));
        live.wait_for_text("now\n");
        live.signal(SIGKILL);
        assert_eq!(live.end().code, None);
        scene.host().assert_unchanged();
    };
    killed("cat /etc/.resolv.conf.pichroot > /seen; cat /usr/sbin/policy-rc.d > /policy");
    // What was to be repaired.
    done(&scene, "true");
    assert_eq!(image.cat("/seen"), OWN);
    assert!(image.cat("/policy").contains("exit 101"));
    assert_eq!(image.cat("/etc/resolv.conf"), OWN);
    assert_eq!(image.inode("/etc/resolv.conf"), before);
    assert!(!image.exists("/usr/sbin/policy-rc.d"));
    killed("echo theirs > /usr/sbin/policy-rc.d; ln -sfn /run/x /etc/resolv.conf");
    done(&scene, "true");
    assert_eq!(image.cat("/usr/sbin/policy-rc.d"), "theirs\n");
    assert_eq!(image.link("/etc/resolv.conf"), "/run/x");
    assert!(!image.exists("/etc/.resolv.conf.pichroot"));
    image.assert_clean(scene.dir());
    scene.assert_left(&["x.img"]);
}

#[test]
fn an_immutable_file_is_covered_and_cannot_be_written() {
    let scene = Scene::new();
    let image = with_plain_files(&scene);
    let device = format!(
        "{}?offset={}",
        scene.path("x.img").display(),
        crate::image::ROOT
    );
    // EXT4_IMMUTABLE_FL and EXT4_EXTENTS_FL.
    run(Command::new("debugfs")
        .args(["-w", "-R", "set_inode_field /etc/resolv.conf flags 0x80010"])
        .arg(device));
    let ended = done(
        &scene,
        "grep -c begin /etc/resolv.conf; echo lost >> /etc/resolv.conf || echo refused",
    );
    assert!(
        ended.out.ends_with("refused\n") && ended.out.starts_with('1'),
        "{ended:?}"
    );
    assert_eq!(image.cat("/etc/resolv.conf"), OWN);
    scene.assert_left(&["x.img"]);
}
