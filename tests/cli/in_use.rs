//! Two runs that want the same file.

use std::{
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
    support::wait_for,
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
