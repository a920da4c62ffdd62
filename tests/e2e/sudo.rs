//! The README's command, as a plain user types it: through sudo with its stock settings, and with nothing of pichroot's
//! but the program.

use std::{path::Path, process::Command};

use crate::{
    image::Image,
    scene::Scene,
    support::{checkout, raw_image, text},
};

/// `sudo ARGUMENTS...` by `nobody`, in mounts of its own: there the user may use sudo, and the program is copied to
/// where `make install` puts it, alone but for a link to Ansible. Else sudo is as the distribution configures it: its
/// limits, its PATH, its environment.
fn by_a_plain_user(dir: &Path, arguments: &[&str]) -> Command {
    const SET_UP: &str = r#"set -e
        mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
        echo 'nobody ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/nobody
        mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
        cp "$1" /usr/local/bin/pichroot
        ln -s "$2" /usr/local/bin/ansible-playbook
        mount -t tmpfs -o mode=700 tmpfs /root/.cache
        shift 2
        exec setpriv --reuid=nobody --regid=nogroup --clear-groups sudo -n "$@""#;
    std::fs::create_dir_all("/root/.cache").expect("root's home");
    let mut command = Command::new("unshare");
    command
        .current_dir(dir)
        .args(["--mount", "sh", "-c", SET_UP, "sh"])
        .arg(env!("CARGO_BIN_EXE_pichroot"))
        .arg(checkout().join(".venv/bin/ansible-playbook"))
        .args(arguments)
        .env("HOME", "/nonexistent")
        .env_remove("PICHROOT_DATA_DIR");
    command
}

/// The hard limit of core dumps that sudo leaves.
#[test]
fn sudo_is_what_these_tests_are_about() {
    let scene = Scene::new();
    let output = by_a_plain_user(scene.dir(), &["sh", "-c", "id -u; ulimit -Hc"]).output();
    assert_eq!(text(&output.expect("unshare")).0, "0\n0\n");
}

#[test]
fn the_command_of_the_readme_makes_an_image() {
    let scene = Scene::new();
    let source = raw_image();
    let config = format!(
        "image:\n  source: {}\n  checksum: none\n  output: \"{{hn_hostname}}.img\"\n",
        source.display()
    );
    std::fs::write(scene.path("pichroot.yml"), config).expect("the configuration");
    let line = "pichroot ansible bootstrap-ubuntu-image.yml -e hn_hostname=mypi -v";
    let arguments: Vec<_> = line.split(' ').collect();
    let output = by_a_plain_user(scene.dir(), &arguments).output();
    let output = output.expect("unshare");
    assert!(output.status.success(), "{:?}", text(&output));
    assert!(
        !text(&output).1.contains("core dumps"),
        "{:?}",
        text(&output)
    );
    // The playbook is the program's own, on the stage's tmpfs, and so is the connection plugin.
    let bundled = "/job/bundle/playbooks/bootstrap-ubuntu-image.yml\n";
    assert!(text(&output).1.contains(bundled), "{:?}", text(&output));
    let image = Image::new(&scene.path("mypi.img"));
    assert_eq!(image.cat("/etc/hostname"), "mypi\n");
    // It is the caller's.
    let owner = std::os::unix::fs::MetadataExt::uid(&scene.path("mypi.img").metadata().unwrap());
    assert_eq!(owner, 65534);
    drop(image);
    scene.assert_left(&["mypi.img", "pichroot.yml"]);
}

#[test]
fn doctor_says_so() {
    let scene = Scene::new();
    let output = by_a_plain_user(scene.dir(), &["pichroot", "doctor", "--json"]).output();
    let output = output.expect("unshare");
    let (document, _) = text(&output);
    assert!(output.status.success(), "{:?}", text(&output));
    assert!(
        document.contains("an aarch64 program under qemu"),
        "{document}"
    );
    assert!(!document.contains("core dumps"), "{document}");
}

/// As in a systemd unit or a container that may not raise limits.
#[test]
fn without_the_right_to_raise_limits_it_goes_on() {
    let scene = Scene::new();
    let mut command = Command::new("setpriv");
    command
        .current_dir(scene.dir())
        .args(["--bounding-set=-sys_resource", "--inh-caps=-sys_resource"])
        .args(["sh", "-c", "ulimit -Hc 0; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_pichroot"))
        .args(["exec", "--checksum", "none"])
        .arg(raw_image())
        .args(["--", "sh", "-c", "ulimit -Hc"])
        .env("PICHROOT_CACHE_DIR", crate::support::cache());
    let output = command.output().expect("setpriv");
    assert!(output.status.success(), "{:?}", text(&output));
    let (out, err) = text(&output);
    assert_eq!(out, "0\n");
    // Only what is no file's name starts a program all the same.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let told = err.matches("limit of core dumps").count();
    assert_eq!(told, usize::from(pattern.starts_with(['|', '@'])), "{err}");
    scene.assert_left(&[]);
}
