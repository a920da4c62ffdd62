//! The program that stands before update-initramfs, by a real shell, in a root of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use super::*;

const PACKAGE: &[(&str, &str)] = &[
    ("DPKG_MAINTSCRIPT_PACKAGE", "linux-image-2-pi"),
    ("DPKG_RUNNING_VERSION", "1.21.22"),
];
/// initramfs-tools itself, when its trigger runs.
const TRIGGER: &[(&str, &str)] = &[
    ("DPKG_MAINTSCRIPT_PACKAGE", ""),
    ("DPKG_RUNNING_VERSION", "1.21.22"),
];
const USER: &[(&str, &str)] = &[];

/// Stands for the real program: tells what it is called with, and makes the file.
const FAKE: &str = "#!/bin/sh
echo \"$*\" >>ROOT/calls
case $* in *broken*) exit 3 ;; -c*) : >\"ROOT/boot/initrd.img-$3\" ;; esac
";
/// Good enough for one digit.
const LINUX_VERSION: &str = "#!/bin/sh
shift 2
printf '%s\\n' \"$@\" | sort -r
";

struct Place(tempfile::TempDir);

impl Place {
    /// With kernels 1-pi and 2-pi, of which the first has an initramfs.
    fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        for folder in ["usr/sbin", "run/pichroot", "boot", "etc"] {
            fs::create_dir_all(place.at(folder)).unwrap();
        }
        for empty in [
            "boot/vmlinuz-1-pi",
            "boot/vmlinuz-2-pi",
            "boot/initrd.img-1-pi",
        ] {
            fs::write(place.at(empty), "").unwrap();
        }
        place.program("usr/sbin/update-initramfs", FAKE);
        place.program("usr/sbin/linux-version", LINUX_VERSION);
        // Every path of the program's is in a variable of its own.
        place.program("shim", &PROGRAM.replace("=/", "=ROOT/"));
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        let text = text.replace("ROOT", self.0.path().to_str().unwrap());
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn output(&self, environment: &[(&str, &str)], line: &str) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.at("usr/sbin").display());
        Command::new("sh")
            .arg(self.at("shim"))
            .args(line.split_whitespace())
            .env_clear()
            .env("PATH", path)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    fn run(&self, environment: &[(&str, &str)], line: &str) -> Option<i32> {
        let output = self.output(environment, line);
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
        output.status.code()
    }

    /// What the real program was called with since this was last asked.
    fn calls(&self) -> String {
        let calls = fs::read_to_string(self.at("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.at("calls"));
        calls.trim_end().replace('\n', "; ")
    }

    fn record(&self) -> Vec<String> {
        let record = fs::read_to_string(self.at(&RECORD[1..])).unwrap_or_default();
        let calls = read(&record).unwrap();
        calls.iter().map(|o| o.command()[1..].join(" ")).collect()
    }
}

#[test]
fn packages_are_told_that_it_waits() {
    let place = Place::new();
    let output = place.output(PACKAGE, "-u");
    let said = "update-initramfs: deferred to the end of the play by pichroot\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), said);
    assert!(output.status.success());
    assert_eq!(place.record(), ["-u -k 1-pi"]);
    // Once is enough.
    for line in ["-u", "-u -k all", "-uk 1-pi", "-u -k1-pi -v"] {
        assert_eq!(place.run(TRIGGER, line), Some(0), "{line}");
    }
    assert_eq!(place.record(), ["-u -k 1-pi"]);
    assert_eq!(place.calls(), "");
}

#[test]
fn only_what_has_an_initramfs_already_waits() {
    let place = Place::new();
    place.run(PACKAGE, "-u");
    // As Debian's hook of a kernel calls it; there it is the image's /boot.
    let create = format!("-c -k 2-pi -b {}", place.at("boot").display());
    place.run(PACKAGE, &create);
    assert_eq!(place.calls(), create);
    place.run(TRIGGER, "-u");
    assert_eq!(place.record(), ["-u -k 1-pi", "-u -k 2-pi"]);
    // From now on it is no more than an update.
    place.run(PACKAGE, &create);
    place.run(PACKAGE, "-u");
    assert_eq!(place.record(), ["-u -k 1-pi", "-c -k 2-pi"]);
    assert_eq!(place.calls(), "");
    // A removed kernel needs none.
    assert_eq!(place.run(PACKAGE, "-d -k 2-pi"), Some(0));
    assert_eq!(place.calls(), "-d -k 2-pi");
    assert_eq!(place.record(), ["-u -k 1-pi"]);
    // One of all has none yet, and one is no kernel here.
    fs::remove_file(place.at("boot/initrd.img-2-pi")).unwrap();
    fs::write(place.at("boot/initrd.img-3-pi"), "").unwrap();
    for line in ["-c -k all", "-u -k 2-pi", "-u -k 3-pi"] {
        place.run(PACKAGE, line);
        assert_eq!(place.calls(), line);
    }
}

#[test]
fn a_task_does_not_wait_and_settles_what_is_outstanding() {
    let place = Place::new();
    fs::write(place.at("boot/initrd.img-2-pi"), "").unwrap();
    assert_eq!(place.run(USER, "-u"), Some(0));
    assert_eq!(place.calls(), "-u");
    place.run(PACKAGE, "-u -k all");
    assert_eq!(place.record(), ["-u -k 2-pi", "-u -k 1-pi"]);
    assert_eq!(place.run(USER, "-u"), Some(0));
    assert_eq!(place.calls(), "-u");
    assert_eq!(place.record(), ["-u -k 1-pi"]);
    assert_eq!(place.run(USER, "-u -k all"), Some(0));
    assert_eq!(place.calls(), "-u -k all");
    assert!(place.record().is_empty());
}

#[test]
fn what_fails_stays_outstanding() {
    let place = Place::new();
    for name in ["vmlinuz", "initrd.img"] {
        fs::write(place.at("boot").join(format!("{name}-broken")), "").unwrap();
    }
    place.run(PACKAGE, "-u -k broken");
    assert_eq!(place.run(USER, "-u -k broken"), Some(3));
    assert_eq!(place.record(), ["-u -k broken"]);
}

#[test]
fn what_is_not_understood_is_the_real_programs() {
    let place = Place::new();
    for line in [
        "",
        "-c",
        "-u extra",
        "-u -b /other",
        "--help",
        "-x",
        "-u -k a/b",
        "-k 1-pi",
    ] {
        place.run(PACKAGE, line);
        assert_eq!(place.calls(), line);
        assert!(place.record().is_empty(), "{line}");
    }
}

#[test]
fn the_programs_own_settings_hold() {
    let place = Place::new();
    let settings = place.at(SETTINGS);
    fs::create_dir(settings.parent().unwrap()).unwrap();
    fs::write(&settings, "update_initramfs=no\n").unwrap();
    place.run(PACKAGE, "-u");
    assert_eq!(place.calls(), "-u");
    fs::write(&settings, "update_initramfs=all\n").unwrap();
    fs::write(place.at("boot/initrd.img-2-pi"), "").unwrap();
    place.run(PACKAGE, "-u");
    assert_eq!(place.record(), ["-u -k 2-pi", "-u -k 1-pi"]);
    // The real program does nothing then, or sets a trigger.
    fs::write(&settings, "update_initramfs=no\n").unwrap();
    for environment in [PACKAGE, USER] {
        place.run(environment, "-u -k all");
        assert_eq!(place.calls(), "-u -k all");
        assert_eq!(place.record().len(), 2);
    }
}

#[test]
fn at_the_end_it_is_done_as_the_image_is_then() {
    let place = Place::new();
    let root = Root::open(place.0.path()).unwrap();
    let now = |line: &str| {
        let one = read(line).unwrap().remove(0);
        one.now(&root).map(|one| one.command()[1..].join(" "))
    };
    assert_eq!(now("u 1-pi"), Ok("-u -k 1-pi".into()));
    assert_eq!(now("c 2-pi"), Ok("-c -k 2-pi".into()));
    fs::create_dir(place.at("etc/initramfs-tools")).unwrap();
    for (settings, option) in [
        ("update_initramfs=no", "-c"),
        ("#x\n update_initramfs=\"no\" # y\n", "-c"),
        ("update_initramfs=no\nupdate_initramfs=yes\n", "-u"),
        ("#update_initramfs=no\n", "-u"),
    ] {
        fs::write(place.at(SETTINGS), settings).unwrap();
        assert_eq!(now("u 1-pi"), Ok(format!("{option} -k 1-pi")), "{settings}");
    }
    fs::rename(place.at("boot/vmlinuz-1-pi"), place.at("boot/vmlinux-1-pi")).unwrap();
    assert!(now("u 1-pi").is_ok());
    fs::remove_file(place.at("boot/vmlinux-1-pi")).unwrap();
    let gone = |kernel: &str, gone: &str| {
        let (kernel, gone) = (kernel.into(), gone.into());
        Err(Event::NoInitramfs { kernel, gone })
    };
    assert_eq!(now("u 1-pi"), gone("1-pi", "its kernel"));
    fs::remove_file(place.at(REAL)).unwrap();
    assert_eq!(now("c 2-pi"), gone("2-pi", "update-initramfs"));
}

#[test]
fn without_any_initramfs_there_is_nothing_to_wait_for() {
    let place = Place::new();
    fs::remove_file(place.at("boot/initrd.img-1-pi")).unwrap();
    place.run(PACKAGE, "-u");
    assert_eq!(place.calls(), "-u");
    assert!(place.record().is_empty());
}

#[test]
fn once_the_real_program_is_gone_packages_do_not_miss_it() {
    let place = Place::new();
    fs::remove_file(place.at("usr/sbin/update-initramfs")).unwrap();
    assert_eq!(place.run(PACKAGE, "-u"), Some(0));
    assert_eq!(place.output(USER, "-u").status.code(), Some(127));
}

#[test]
fn it_is_put_only_where_it_belongs() {
    let dir = tempfile::tempdir().unwrap();
    let possible = || possible_in(&Root::open(dir.path()).unwrap()).is_ok();
    assert!(!possible(), "no initramfs-tools");
    fs::create_dir_all(dir.path().join("usr/sbin")).unwrap();
    fs::write(dir.path().join(REAL), "").unwrap();
    assert!(!possible(), "no apt");
    fs::create_dir_all(dir.path().join("etc/apt/apt.conf.d")).unwrap();
    assert!(possible());
    fs::write(dir.path().join(APT_FILE), "").unwrap();
    assert!(!possible(), "somebody's own");
}

#[test]
fn a_record_of_somebody_elses_is_refused() {
    for bad in ["x 1", "u", "u ", "u -1", "u a b", "u a/b", "u\t1"] {
        assert!(read(bad).is_err(), "{bad}");
    }
    assert!(read(&"u 1\n".repeat(101)).is_err());
    assert!(read("").unwrap().is_empty());
}
