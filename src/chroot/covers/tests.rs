//! What is left of an image's files after it was in use, by what was done to them meanwhile.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use super::*;

const OWN: &str = "nameserver 198.51.100.1\n";

struct Image(tempfile::TempDir);

impl Image {
    fn new() -> Self {
        let image = Image(tempfile::tempdir().unwrap());
        for dir in ["etc", "usr/sbin", "run", "tmp", "dev", "proc", "sys"] {
            fs::create_dir_all(image.at(dir)).unwrap();
        }
        image
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn root(&self) -> Root {
        Root::open(self.0.path()).unwrap()
    }

    fn put(&self) -> (Covers, Covering) {
        let (covers, covering, told) = Covers::put(&self.root(), Network::Host).unwrap();
        let expected =
            |event: &Event| matches!(event, Event::NoNames(why) if why.contains("this machine"));
        assert!(told.iter().all(expected), "{told:?}");
        (covers, covering)
    }

    /// In use, with `meanwhile` done to it; and once more with a kill at its end, which the next use repairs.
    fn used(&self, meanwhile: impl Fn(&Self)) {
        let (covers, _) = self.put();
        meanwhile(self);
        covers.take_away(&self.root()).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// Every file below etc and usr/sbin, with all that there is to know of it but the times of reading.
    fn state(&self) -> Vec<String> {
        let mut all = Vec::new();
        for dir in ["etc", "usr/sbin"] {
            all.push(format!(
                "{dir} {:?}",
                fs::metadata(self.at(dir)).unwrap().modified()
            ));
            for entry in fs::read_dir(self.at(dir)).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let text = fs::read_link(&path).map(|to| to.display().to_string());
                let text = match meta.is_file() {
                    true => fs::read_to_string(&path),
                    // A fifo would be waited for.
                    false => text,
                };
                let (inode, mode, time) = (meta.ino(), meta.mode(), meta.mtime_nsec());
                all.push(format!(
                    "{path:?} {inode} {mode:o} {time} {} {text:?}",
                    meta.nlink()
                ));
            }
        }
        all.sort();
        all
    }
}

/// Ways for an image to have these two files.
fn images() -> Vec<(&'static str, Image)> {
    let make = |what, how: &dyn Fn(&Image)| {
        let image = Image::new();
        how(&image);
        (what, image)
    };
    vec![
        make("none", &|_| {}),
        make("files", &|image| {
            fs::write(image.at("etc/resolv.conf"), OWN).unwrap();
            fs::set_permissions(
                image.at("etc/resolv.conf"),
                PermissionsExt::from_mode(0o640),
            )
            .unwrap();
            fs::hard_link(image.at("etc/resolv.conf"), image.at("etc/other")).unwrap();
            fs::write(image.at(POLICY), "#!/bin/sh\nexit 0\n").unwrap();
        }),
        make("empty files", &|image| {
            fs::write(image.at("etc/resolv.conf"), "").unwrap();
            fs::write(image.at(POLICY), "").unwrap();
        }),
        make("a link to a file", &|image| {
            symlink("static", image.at("etc/resolv.conf")).unwrap();
            fs::write(image.at("etc/static"), OWN).unwrap();
            symlink("/etc/static", image.at(POLICY)).unwrap();
        }),
        make("a link to no file", &|image| {
            symlink("static", image.at("etc/resolv.conf")).unwrap()
        }),
        make("a link into /run", &|image| {
            symlink("/run/x", image.at("etc/resolv.conf")).unwrap()
        }),
        make("a link to nowhere", &|image| {
            symlink("/proc/net/pnp", image.at("etc/resolv.conf")).unwrap();
        }),
        make("a fifo", &|image| {
            let mode = nix::sys::stat::Mode::S_IRUSR;
            nix::unistd::mkfifo(&image.at("etc/resolv.conf"), mode).unwrap();
        }),
    ]
}

#[test]
fn what_nobody_touched_is_as_it_was() {
    for (what, image) in images() {
        let before = image.state();
        image.used(|image| assert_eq!(image.read(POLICY), POLICY_TEXT, "{what}"));
        assert_eq!(image.state(), before, "{what}");
        // Killed, and opened again.
        let _ = image.put();
        image.used(|image| assert_eq!(image.read(POLICY), POLICY_TEXT, "{what}"));
        let same = |lines: Vec<String>| {
            let files = lines.into_iter().filter(|line| line.starts_with('"'));
            files.collect::<Vec<_>>()
        };
        assert_eq!(same(image.state()), same(before), "{what}, after a kill");
    }
}

#[test]
fn what_a_task_puts_there_stays() {
    for (what, image) in images() {
        for killed in [false, true] {
            let put = |image: &Image| {
                for (path, text) in [(NAMES, "theirs"), (POLICY, "#!/bin/sh\nexit 101\n")] {
                    fs::write(image.at("etc/new"), text).unwrap();
                    fs::rename(image.at("etc/new"), image.at(path)).unwrap();
                }
            };
            if killed {
                let _ = image.put();
                put(&image);
                image.used(|_| {});
            } else {
                image.used(put);
            }
            assert_eq!(image.read(NAMES), "theirs", "{what}");
            assert_eq!(image.read(POLICY), "#!/bin/sh\nexit 101\n", "{what}");
            let waiting = |line: &String| line.contains(".pichroot");
            assert!(
                !image.state().iter().any(waiting),
                "{what}: {:?}",
                image.state()
            );
        }
    }
}

#[test]
fn what_a_task_removes_or_makes_a_link_is_that() {
    for (what, image) in images() {
        image.used(|image| {
            fs::remove_file(image.at(NAMES)).ok();
            fs::remove_file(image.at(POLICY)).unwrap();
        });
        assert!(fs::symlink_metadata(image.at(NAMES)).is_err(), "{what}");
        assert!(fs::symlink_metadata(image.at(POLICY)).is_err(), "{what}");
        image.used(|image| {
            fs::remove_file(image.at(NAMES)).unwrap();
            symlink("../run/systemd/resolve/stub-resolv.conf", image.at(NAMES)).unwrap();
        });
        let link = fs::read_link(image.at(NAMES)).unwrap();
        assert_eq!(
            link.to_str(),
            Some("../run/systemd/resolve/stub-resolv.conf"),
            "{what}"
        );
    }
}

#[test]
fn what_a_task_adds_is_added_to_the_images_own() {
    let image = Image::new();
    fs::write(image.at(NAMES), OWN).unwrap();
    let inode = |path: &str| fs::metadata(image.at(path)).unwrap().ino();
    let before = inode(NAMES);
    let add = |image: &Image| {
        let text = image.read(NAMES);
        assert!(text.ends_with(OWN) && text.len() > OWN.len());
        fs::write(image.at(NAMES), format!("{text}options edns0\n")).unwrap();
    };
    image.used(add);
    assert_eq!(image.read(NAMES), format!("{OWN}options edns0\n"));
    assert_eq!(inode(NAMES), before);
    // And a new mode, without a word.
    image.used(|image| {
        fs::set_permissions(image.at(NAMES), PermissionsExt::from_mode(0o600)).unwrap()
    });
    assert_eq!(
        fs::metadata(image.at(NAMES)).unwrap().mode() & 0o7777,
        0o600
    );
    assert_eq!(inode(NAMES), before);
    // Where there was none: what was added is all.
    fs::remove_file(image.at(NAMES)).unwrap();
    image.used(|image| {
        let text = image.read(NAMES);
        fs::write(image.at(NAMES), format!("{text}options edns0\n")).unwrap();
    });
    assert_eq!(image.read(NAMES), "options edns0\n");
}

#[test]
fn copies_are_copies_of_the_images_own() {
    let image = Image::new();
    fs::write(image.at(NAMES), OWN).unwrap();
    fs::write(image.at(POLICY), "own").unwrap();
    fs::create_dir_all(image.at(RESOLVCONF)).unwrap();
    image.used(|image| {
        // As dpkg-divert does.
        fs::rename(image.at(POLICY), image.at("usr/sbin/policy-rc.d.distrib")).unwrap();
        fs::write(image.at(POLICY), "theirs").unwrap();
        // As systemd-resolved and resolvconf do.
        fs::copy(
            image.at(NAMES),
            image.at("etc/resolvconf/resolv.conf.d/original"),
        )
        .unwrap();
        fs::rename(
            image.at(NAMES),
            image.at("etc/.resolv.conf.systemd-resolved.bak"),
        )
        .unwrap();
        symlink("/run/x", image.at(NAMES)).unwrap();
    });
    assert_eq!(image.read("usr/sbin/policy-rc.d.distrib"), "own");
    assert_eq!(image.read(POLICY), "theirs");
    assert_eq!(image.read("etc/.resolv.conf.systemd-resolved.bak"), OWN);
    assert_eq!(image.read("etc/resolvconf/resolv.conf.d/original"), OWN);
    // There was nothing to be copied.
    let image = Image::new();
    image.used(|image| {
        fs::copy(image.at(NAMES), image.at("etc/resolv.conf.bak")).unwrap();
        fs::copy(image.at(POLICY), image.at("usr/sbin/policy-rc.d.bak")).unwrap();
    });
    assert!(!image.at("etc/resolv.conf.bak").exists());
    assert!(!image.at("usr/sbin/policy-rc.d.bak").exists());
}

#[test]
fn it_is_told_where_names_lead() {
    for (link, wanted) in [
        ("/run/x", "run/x"),
        ("../tmp/x/y", "tmp/x/y"),
        ("/proc/net/pnp", "run/pichroot/resolv.conf"),
        ("resolv.conf", "run/pichroot/resolv.conf"),
    ] {
        let image = Image::new();
        symlink(link, image.at(NAMES)).unwrap();
        let (covers, covering) = image.put();
        assert_eq!(covering.leads_to.unwrap().to_str(), Some(wanted));
        covers.take_away(&image.root()).unwrap();
        assert_eq!(fs::read_link(image.at(NAMES)).unwrap().to_str(), Some(link));
    }
    let image = Image::new();
    fs::create_dir(image.at(NAMES)).unwrap();
    let (covers, _, told) = Covers::put(&image.root(), Network::Host).unwrap();
    assert!(format!("{told:?}").contains("is a directory"), "{told:?}");
    covers.take_away(&image.root()).unwrap();
    assert!(image.at(NAMES).is_dir());
}
