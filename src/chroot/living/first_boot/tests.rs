//! What gets into an image, and what its script does.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
};

use super::*;
use crate::chroot::living::call::Answer;

struct Image(tempfile::TempDir);

const PLACE: &str = "var/lib/pichroot/first-boot";
const LINK: &str = "etc/systemd/system/multi-user.target.wants/pichroot-first-boot.service";

impl Image {
    /// With systemd, and nothing else.
    fn new() -> Self {
        let image = Image(tempfile::tempdir().unwrap());
        fs::create_dir_all(image.at("lib/systemd")).unwrap();
        fs::create_dir_all(image.at("sbin")).unwrap();
        fs::write(image.at("lib/systemd/systemd"), "").unwrap();
        symlink("/lib/systemd/systemd", image.at("sbin/init")).unwrap();
        image
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Has these put off, by tasks called like them, and finishes.
    fn finish(&self, units: &[&str]) -> Result<event::FirstBoot> {
        let mut machine = Machine::new(self.0.path(), true);
        for lines in units {
            machine.record.task = Some(format!("Do {lines}"));
            machine.record.put_off(*lines, How::Unit((*lines).into()));
        }
        machine.record.put_off("reboot", How::ByBoot);
        finish(&mut machine)
    }

    fn steps(&self, folder: &str) -> Vec<String> {
        let folder = self.at(PLACE).join(folder);
        let mut names: Vec<_> = fs::read_dir(folder)
            .map(|all| {
                all.map(|one| one.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }

    /// Runs the script as the first boot does, with the image's paths in place of the machine's.
    fn boot(&self) -> (bool, String) {
        let place = self.at(PLACE);
        let text = fs::read_to_string(place.join("run")).unwrap();
        let top = self.0.path().display();
        let text = text
            .replace("/var/lib/", &format!("{top}/var/lib/"))
            .replace("/etc/systemd/", &format!("{top}/etc/systemd/"));
        fs::write(place.join("run"), text).unwrap();
        let mut sh = Command::new("sh");
        let output = sh.arg(place.join("run")).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.success(), said.concat())
    }
}

#[test]
fn without_a_step_nothing_is_in_the_image() {
    let image = Image::new();
    let told = image.finish(&[]).unwrap();
    assert_eq!(told.put_off[0].by, By::Boot);
    assert!(!image.at("var").exists() && !image.at("etc").exists());
}

#[test]
fn steps_are_done_once_in_order_and_nothing_stays() {
    let image = Image::new();
    let log = image.at("log");
    let line = |text: &str| format!("echo {text} >>{}", log.display());
    let all = [line("a"), line("b"), line("a")];
    let told = image.finish(&all.each_ref().map(String::as_str)).unwrap();
    assert_eq!(told.put_off.len(), 4);
    assert_eq!(told.put_off[1].by, By::Unit);
    assert_eq!(told.earlier, 0);
    // Another run.
    let told = image.finish(&[&line("c")]).unwrap();
    assert_eq!(told.earlier, 3);
    assert_eq!(image.steps("steps"), ["00001", "00002", "00003", "00004"]);
    let unit = "/etc/systemd/system/pichroot-first-boot.service";
    assert_eq!(fs::read_link(image.at(LINK)).unwrap(), PathBuf::from(unit));
    for (path, mode) in [
        ("var/lib", 0o755),
        (PLACE, 0o700),
        (&format!("{PLACE}/steps/00001"), 0o600),
        (&unit[1..], 0o644),
    ] {
        let found = fs::metadata(image.at(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode, "{path}");
    }

    let (done, said) = image.boot();
    assert!(done, "{said}");
    assert_eq!(fs::read_to_string(&log).unwrap(), "a\nb\na\nc\n");
    assert!(
        said.contains(&format!("{} (Do {})\n", all[0], all[0])),
        "{said}"
    );
    assert!(!image.at("var/lib/pichroot").exists());
    assert!(image.at(LINK).symlink_metadata().is_err());
    assert!(!image.at(&unit[1..]).exists());
}

#[test]
fn a_step_that_fails_is_told_kept_and_not_done_again() {
    let image = Image::new();
    let log = image.at("log");
    let good = format!("echo good >>{}", log.display());
    image.finish(&["exit 3", &good]).unwrap();
    let (done, said) = image.boot();
    assert!(!done);
    assert!(
        said.contains("<3>ended with exit code 3: exit 3 (Do exit 3)\n"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "good\n");
    assert_eq!(image.steps("failed"), ["00001"]);
    assert!(image.at(LINK).symlink_metadata().is_err());
    assert!(!image.at(PLACE).join("run").exists());
    // A later run has steps of its own.
    image.finish(&[&good]).unwrap();
    assert!(image.boot().0);
    assert_eq!(fs::read_to_string(&log).unwrap(), "good\ngood\n");
}

#[test]
fn where_there_can_be_no_unit_a_step_is_an_error() {
    let image = Image::new();
    fs::remove_file(image.at("sbin/init")).unwrap();
    // It may come.
    assert_eq!(possible::why_not(true, image.0.path()), None);
    let error = image.finish(&["true"]).unwrap_err();
    assert!(error.to_string().contains("not start systemd"), "{error}");
    image.finish(&[]).unwrap();
    fs::write(image.at("sbin/init"), "another").unwrap();
    let mut machine = Machine::new(image.0.path(), true);
    let answer = machine.put_off_to_unit("x", "x".into());
    assert!(matches!(answer, Answer::Said { code: 1, .. }), "{answer:?}");
    assert!(machine.record.all().is_empty());
    let mut machine = Machine::new(Image::new().0.path(), false);
    machine.record.put_off("x", How::Unit("x".into()));
    let error = finish(&mut machine).unwrap_err();
    assert!(error.to_string().contains("there is to be none"), "{error}");
}

#[test]
fn names_of_tasks_cannot_add_lines() {
    let image = Image::new();
    let mut machine = Machine::new(image.0.path(), true);
    machine.record.task = Some("x\nrm -r /".into());
    machine
        .record
        .put_off("true\r\x1b", How::Unit("true".into()));
    finish(&mut machine).unwrap();
    let text = fs::read_to_string(image.at(PLACE).join("steps/00001")).unwrap();
    assert_eq!(text, "# true   (x rm -r /)\ntrue\n");
}

#[test]
fn hostile_places_are_errors_and_hold_nothing_up() {
    let image = Image::new();
    fs::create_dir_all(image.at("etc/systemd")).unwrap();
    fs::write(image.at("etc/systemd/system"), "a file").unwrap();
    let error = image.finish(&["true"]).unwrap_err();
    assert_eq!(error.kind(), Kind::Image);
    fs::remove_file(image.at("etc/systemd/system")).unwrap();
    // Not written to, but replaced.
    let unit = image.at("etc/systemd/system/pichroot-first-boot.service");
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&unit, nix::sys::stat::Mode::S_IRWXU).unwrap();
    image.finish(&["true"]).unwrap();
    assert!(unit.metadata().unwrap().is_file());
}
