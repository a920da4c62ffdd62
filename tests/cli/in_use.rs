//! Two runs that want the same file.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    case::{Case, play},
    images,
    support::{run, wait_for},
};

/// A run that goes on until it is told to end.
struct Other(Child);

impl Other {
    /// Starts it, and waits until its stage is there.
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let other = Other(child);
        wait_for("the first run's stage", Duration::from_secs(120), || {
            let children = std::fs::read_to_string(&children).unwrap_or_default();
            (!children.trim().is_empty()).then_some(())
        });
        other
    }

    fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

#[test]
fn an_image_that_is_written_by_another_run() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let mut first = case.pichroot(["exec", "--write", "x.img", "--", "sleep", "600"]);
    let first = Other::start(&mut first);
    // To write it too, and to make a copy of what is being written.
    let arguments = ["--image", "x.img", "--checksum", "none", "-o", "out.img"];
    let others = [
        case.run(&mut case.exec(&["--write", "x.img"])),
        case.run(&mut case.exec(&["--checksum", "none", "x.img"])),
        case.run(&mut case.ansible(&arguments)),
    ];
    assert_eq!(first.stop(), Some(143));
    for second in others {
        assert_eq!(second.code, Some(3), "{second:#?}");
        assert!(
            second
                .stderr
                .contains("x.img is in use by another pichroot"),
            "{second:#?}"
        );
        assert_eq!(second.stderr.matches("hint: ").count(), 1, "{second:#?}");
    }
    assert!(!case.path("out.img").exists());
    case.unchanged();
}

/// A loop device of the host's own, until it is dropped.
struct Attached(String);

impl Attached {
    fn to(image: &Path, how: &[&str]) -> Self {
        let mut losetup = Command::new("losetup");
        let device = run(losetup.args(how).args(["--find", "--show"]).arg(image));
        Attached(device.trim().to_owned())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        run(Command::new("losetup").args(["--detach", &self.0]));
    }
}

/// Whoever has it has it refused by its device's name; and is told of where a copy is made of it.
fn is_found(case: &Case, image: &str, device: &str) {
    let ended = case.run(&mut case.exec(&["--write", image]));
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let said = format!("{image} is attached to {device} on this host");
    assert!(ended.stderr.contains(&said), "{said}: {ended:#?}");
    assert!(ended.stderr.contains("hint: unmount"), "{ended:#?}");
    let ended = case.run(&mut case.exec(&["--checksum", "none", image]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let said = format!("{image} is in use by {device}: the copy may lack");
    assert!(ended.stderr.contains(&said), "{said}: {ended:#?}");
}

/// What the host then wrote, or we did, would be lost: each has its own idea of the file systems.
#[test]
fn an_image_that_the_host_has_attached() {
    let case = Case::new();
    let image = case.path("x.img");
    images::tiny(&image);
    fs::hard_link(&image, case.path("same.img")).unwrap();
    let attached = Attached::to(&image, &[]);
    is_found(&case, "x.img", &attached.0);
    is_found(&case, "same.img", &attached.0);
    drop(attached);
    // One that nobody writes to disturbs no copy.
    let attached = Attached::to(&image, &["--read-only"]);
    let ended = case.run(&mut case.exec(&["--checksum", "none", "x.img"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.stderr.contains("in use"), "{ended:#?}");
    drop(attached);
    case.works(&mut case.exec(&["--write", "x.img"]));
}

/// mount(8) makes a device of its own for the part, which goes with the mount.
#[test]
fn an_image_that_the_host_has_mounted() {
    let case = Case::new();
    let (image, at) = (case.path("x.img"), case.path("card"));
    images::tiny(&image);
    fs::create_dir(&at).unwrap();
    let part = format!("loop,offset={}", 4 * images::MIB);
    run(Command::new("mount")
        .args(["-n", "-o", &part])
        .args([&image, &at]));
    let device = run(Command::new("losetup")
        .args(["-nO", "NAME", "-j"])
        .arg(&image));
    is_found(&case, "x.img", device.trim());
    run(Command::new("umount").arg("-n").arg(&at));
    case.works(&mut case.exec(&["--write", "x.img"]));
}

/// As qemu locks a disk that a virtual machine has: bytes far behind one another, for reading.
#[test]
fn an_image_of_a_virtual_machine() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let file = fs::File::open(case.path("x.img")).unwrap();
    let lock = nix::libc::flock {
        l_type: nix::libc::F_RDLCK as _,
        l_whence: nix::libc::SEEK_SET as _,
        l_start: 201,
        l_len: 1,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    let ended = case.run(&mut case.exec(&["--write", "x.img"]));
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let said = format!("(process {}), which has locked it", std::process::id());
    assert!(ended.stderr.contains(&said), "{said}: {ended:#?}");
    assert!(ended.stderr.contains("hint: end it"), "{ended:#?}");
    drop(file);
    case.works(&mut case.exec(&["--write", "x.img"]));
}

#[test]
fn an_output_that_is_made_by_another_run() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file("play.yml", play("sleep 600"));
    let arguments = ["--image", "x.img", "--checksum", "none", "-o", "out.img"];
    let first = Other::start(&mut case.ansible(&arguments));
    let second = case.run(&mut case.ansible(&arguments));
    assert_eq!(first.stop(), Some(143));
    assert_eq!(second.code, Some(3), "{second:#?}");
    assert!(
        second
            .stderr
            .contains("out.img is being made by another run"),
        "{second:#?}"
    );
    assert_eq!(second.stderr.matches("hint: ").count(), 1, "{second:#?}");
    assert!(!case.path("out.img").exists());
    case.unchanged();
}
