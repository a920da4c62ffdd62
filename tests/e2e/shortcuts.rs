//! Work that is left out or put off, and what comes of it all the same.

use std::{fs, process::Command};

use crate::{
    ended::Ended,
    image::Image,
    live::Live,
    scene::Scene,
    support::{checkout, pichroot, raw_image, run},
};

/// initramfs-tools itself is real; what it packs is the time it was called, by a count.
const MKINITRAMFS: &str = "#!/bin/sh
echo made >>/var/log/mkinitramfs
while [ \"$1\" != -o ]; do shift; done
! grep -qsx -e \"$3\" /etc/broken || { echo it is broken >&2; exit 1; }
wc -l </var/log/mkinitramfs >\"$2\"
";

/// What a package does that ships something for the initramfs, and what a kernel does.
const POSTINST: &str = "#!/bin/sh -e
update-initramfs -u
update-initramfs -u
V=6.1.0-2-arm64
DEB_MAINT_PARAMS=configure run-parts --exit-on-error --arg=$V --arg=/boot/vmlinuz-$V /etc/kernel/postinst.d
";

/// Of two kernels the second one is new.
const TASKS: &str = "\
- copy: {src: mkinitramfs, dest: /usr/sbin/mkinitramfs, mode: '0755'}
- copy: {src: package.deb, dest: /tmp/package.deb}
- shell: |
    set -e
    touch /boot/vmlinuz-6.1.0-1-arm64 /boot/vmlinuz-6.1.0-2-arm64 /boot/initrd.img-6.1.0-1-arm64
    apt-get install /tmp/package.deb
    apt-get install --reinstall /tmp/package.deb
    cp /boot/initrd.img-6.1.0-1-arm64 /root/seen-of-1
    cp /boot/initrd.img-6.1.0-2-arm64 /root/seen-of-2
";

/// A scene with these tasks, and the package.
fn with_package(tasks: &str) -> Scene {
    let scene = Scene::with_tasks(tasks);
    let package = scene.path("package");
    fs::create_dir_all(package.join("DEBIAN")).unwrap();
    let control = "Package: wants-initramfs\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t>\n\
                   Description: test\n";
    fs::write(package.join("DEBIAN/control"), control).unwrap();
    fs::write(package.join("DEBIAN/postinst"), POSTINST).unwrap();
    run(Command::new("chmod")
        .arg("755")
        .arg(package.join("DEBIAN/postinst")));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-b"])
        .arg(&package)
        .arg(scene.path("package.deb")));
    fs::remove_dir_all(package).unwrap();
    fs::write(scene.path("mkinitramfs"), MKINITRAMFS).unwrap();
    scene
}

fn ansible(scene: &Scene, more: &[&str]) -> Ended {
    Live::start(scene.ansible().args(more)).end()
}

#[test]
fn each_initramfs_is_updated_once_and_at_the_end() {
    let scene = with_package(TASKS);
    let ended = ansible(&scene, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for kernel in ["6.1.0-1-arm64", "6.1.0-2-arm64"] {
        let step = format!("==> making the initramfs of {kernel}\n");
        assert_eq!(ended.err.matches(&step).count(), 1, "{ended:?}");
        let said = format!("update-initramfs: Generating /boot/initrd.img-{kernel}\n");
        assert_eq!(ended.out.matches(&said).count(), 1, "{ended:?}");
    }
    let (image, base) = (Image::new(&scene.output()), Image::new(&raw_image()));
    // That of the new kernel was there for a boot loader to find.
    assert_eq!(image.cat("/root/seen-of-1"), "");
    assert_eq!(image.cat("/root/seen-of-2"), "1\n");
    assert_eq!(image.cat("/boot/initrd.img-6.1.0-1-arm64"), "2\n");
    assert_eq!(image.cat("/boot/initrd.img-6.1.0-2-arm64"), "3\n");
    for folder in ["/usr/local/sbin", "/etc/apt/apt.conf.d"] {
        assert_eq!(image.list(folder), base.list(folder));
        assert_eq!(image.inode(folder), base.inode(folder));
    }
    image.assert_clean(scene.dir());
    scene.assert_left(&["mkinitramfs", "out.img", "package.deb"]);
}

#[test]
fn without_the_shortcut_it_is_made_at_once() {
    let scene = with_package(TASKS);
    assert_made_at_once(&scene, &ansible(&scene, &["--no-shortcut", "initramfs"]));
}

fn assert_made_at_once(scene: &Scene, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("==> making the initramfs"), "{ended:?}");
    let image = Image::new(&scene.output());
    // Each installation makes that of the new kernel, and then its trigger's, of the highest version.
    assert_eq!(image.cat("/boot/initrd.img-6.1.0-2-arm64"), "4\n");
    scene.assert_left(&["mkinitramfs", "out.img", "package.deb"]);
}

/// As without the shortcut: where dpkg finds programs is the image's own to say.
#[test]
fn a_path_for_dpkg_in_the_image_holds() {
    let own = "- copy:\n    dest: /etc/apt/apt.conf.d/99own\n    \
               content: 'DPkg::Path \"/usr/sbin:/usr/bin:/sbin:/bin\";'\n";
    let scene = with_package(&format!("{own}{TASKS}"));
    assert_made_at_once(&scene, &ansible(&scene, &[]));
}

#[test]
#[ignore = "long: make test-all"]
fn what_is_outstanding_of_what_is_gone_is_left_out() {
    let gone = "rm /boot/vmlinuz-6.1.0-2-arm64 /boot/initrd.img-6.1.0-2-arm64";
    let setting = "echo update_initramfs=no >/etc/initramfs-tools/update-initramfs.conf";
    let scene = with_package(&format!("{TASKS}- shell: {gone}; {setting}\n"));
    let ended = ansible(&scene, &["-v"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = "the initramfs of 6.1.0-2-arm64 is not made: its kernel is gone";
    assert!(ended.err.contains(said), "{ended:?}");
    let image = Image::new(&scene.output());
    // The setting came later than what was put off.
    assert_eq!(image.cat("/boot/initrd.img-6.1.0-1-arm64"), "2\n");
    assert!(!image.exists("/boot/initrd.img-6.1.0-2-arm64"));

    scene.write_play(&format!(
        "{TASKS}- command: rm /usr/sbin/update-initramfs\n"
    ));
    let ended = ansible(&scene, &["-v", "--force"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = "the initramfs of 6.1.0-1-arm64 is not made: update-initramfs is gone";
    assert!(ended.err.contains(said), "{ended:?}");
    scene.assert_left(&["mkinitramfs", "out.img", "package.deb"]);
}

#[test]
#[ignore = "long: make test-all"]
fn an_initramfs_that_cannot_be_made_fails_the_run() {
    let broken = "- copy: {dest: /etc/broken, content: \"6.1.0-2-arm64\\n\"}\n";
    let scene = with_package(&format!("{TASKS}{broken}"));
    let ended = ansible(&scene, &["--on-error", "keep"]);
    ended.assert_error(5, "update-initramfs -c -k 6.1.0-2-arm64 in the image ended");
    // What is done need not be told.
    let warnings = |ended: &Ended| {
        ["-u -k 6.1.0-1-arm64", "-c -k 6.1.0-2-arm64"].map(|call| {
            let text = format!("was to be made at the end: /usr/sbin/update-initramfs {call}");
            ended.err.contains(&text)
        })
    };
    assert_eq!(warnings(&ended), [false, true], "{ended:?}");
    scene.assert_left(&[
        "mkinitramfs",
        "out.img.failed",
        "out.img.failed.json",
        "package.deb",
    ]);
    for name in ["out.img.failed", "out.img.failed.json"] {
        fs::remove_file(scene.path(name)).unwrap();
    }
    // A failed playbook leaves all of that to whoever keeps the image.
    scene.write_play(&format!("{TASKS}- command: \"false\"\n"));
    let ended = ansible(&scene, &["--on-error", "keep"]);
    ended.assert_error(5, "ansible-playbook ended");
    assert_eq!(warnings(&ended), [true, true], "{ended:?}");
    scene.assert_left(&[
        "mkinitramfs",
        "out.img.failed",
        "out.img.failed.json",
        "package.deb",
    ]);
}

/// For real, fsync(2) of a pipe is EINVAL.
const SYNC: &str =
    "- command: /usr/bin/python3 -c 'import os; os.fsync(os.pipe()[1]); os.sync()'\n";

/// The hooks of apt see whether they were run.
const UPDATE: &str = r#"- copy:
    dest: /etc/apt/apt.conf.d/50command-not-found
    content: 'APT::Update::Post-Invoke {"touch /root/hook-of-a-package";};'
- command: apt-get update -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null
"#;

#[test]
fn programs_do_not_wait_for_the_disk_and_apt_runs_no_hooks() {
    let scene = Scene::with_tasks(&format!("{SYNC}{UPDATE}"));
    let ended = ansible(&scene, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let image = Image::new(&scene.output());
    let hook = "/etc/apt/apt.conf.d/50command-not-found";
    assert!(image.cat(hook).starts_with("APT::Update::Post-Invoke "));
    assert!(!image.exists("/root/hook-of-a-package"));
    scene.assert_left(&["out.img"]);

    fs::write(
        scene.path("pichroot.yml"),
        "shortcuts: {apt-hooks: false}\n",
    )
    .unwrap();
    let ended = ansible(&scene, &["--no-shortcut", "sync", "--force"]);
    ended.assert_error(5, "ansible-playbook ended");
    assert!(ended.out.contains("Invalid argument"), "{ended:?}");

    scene.write_play(UPDATE);
    let ended = ansible(&scene, &["--force"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(image.exists("/root/hook-of-a-package"));
    scene.assert_left(&["out.img", "pichroot.yml"]);
}

#[test]
fn without_seccomp_the_run_succeeds_and_says_what_it_lacks() {
    let scene = Scene::new();
    let inner = pichroot(scene.dir());
    let mut command = Command::new("python3");
    command
        .arg(checkout().join("tests/e2e/without_seccomp.py"))
        .arg(inner.get_program())
        .args(["exec", "--checksum", "none"])
        .arg(raw_image())
        .args(["--", "python3", "-c", "import os; os.fsync(os.pipe()[1])"])
        .current_dir(scene.dir());
    for (name, value) in inner.get_envs() {
        value.map(|value| command.env(name, value));
    }
    let ended = Live::start(&mut command).end();
    // The program's own: its sync is done.
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("OSError: [Errno 22]"), "{ended:?}");
    let warning = "warning: this kernel has no seccomp filters: ";
    assert_eq!(ended.err.matches(warning).count(), 1, "{ended:?}");
    scene.assert_left(&[]);
}
