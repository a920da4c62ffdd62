use std::{io::Cursor, process::Command};

use super::*;
use crate::event::Silent;

/// A directory that is served, and files to publish there.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tftp")).unwrap();
        Scene { dir }
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            dir: self.dir.path().join("tftp"),
            name: "abcdef12".into(),
            watched: true,
            force: false,
            keep: 1,
        }
    }

    /// An archive of one file, `kernel`, that holds `text`.
    fn archive(&self, text: &str) -> Vec<u8> {
        let from = self.dir.path().join("from");
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("kernel"), text).unwrap();
        let done = Command::new("tar")
            .args(["--create", "--file=-", "--mtime=@0", "--directory"])
            .arg(&from)
            .arg(".")
            .output()
            .unwrap();
        assert!(done.status.success());
        done.stdout
    }

    fn prepare(&self, text: &str) -> Prepared {
        let wanted = self.wanted();
        let place = wanted.open().unwrap();
        wanted.check_unchanged(&place).unwrap();
        let mut stream = Cursor::new(self.archive(text));
        wanted.prepare(place, &mut stream, &Silent).unwrap()
    }

    fn publish(&self, text: &str) -> Served {
        self.prepare(text).serve().unwrap()
    }

    fn served(&self) -> String {
        fs::read_to_string(self.dir.path().join("tftp/abcdef12/kernel")).unwrap()
    }

    /// What is there beside what is served, but for the lock.
    fn beside(&self) -> Vec<String> {
        let state = self.dir.path().join("tftp/.pichroot/abcdef12");
        let names = fs::read_dir(state).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    }
}

#[test]
fn the_generation_before_is_kept_and_comes_back() {
    let scene = Scene::new();
    assert_eq!(scene.publish("one").before, None);
    assert_eq!(scene.publish("two").before, Some(1));
    assert_eq!(
        (scene.served(), scene.publish("three").before),
        ("two".into(), Some(2))
    );
    assert_eq!(scene.beside(), ["2", "2.json", "3.json"]);
    let back = roll_back(scene.wanted().open().unwrap()).unwrap();
    assert_eq!(
        (scene.served(), back.generation, back.before),
        ("two".into(), 2, Some(3))
    );
    roll_back(scene.wanted().open().unwrap()).unwrap();
    assert_eq!(scene.served(), "three");
    assert_eq!(scene.publish("four").generation, 4);
}

#[test]
fn the_same_files_are_known_again() {
    let scene = Scene::new();
    scene.publish("one");
    let (wanted, same, other) = (scene.wanted(), scene.archive("one"), scene.archive("two"));
    let place = wanted.open().unwrap();
    assert_eq!(
        wanted.is_there(&place, &mut Cursor::new(same)).unwrap(),
        Some(1)
    );
    assert_eq!(
        wanted.is_there(&place, &mut Cursor::new(other)).unwrap(),
        None
    );
}

#[test]
fn what_the_machine_has_written_is_not_replaced() {
    let scene = Scene::new();
    scene.publish("one");
    fs::write(scene.dir.path().join("tftp/abcdef12/kernel"), "newer").unwrap();
    let wanted = scene.wanted();
    let place = wanted.open().unwrap();
    let error = wanted.check_unchanged(&place).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("changed since it was published: kernel")
    );
    let forced = Wanted {
        force: true,
        ..wanted
    };
    forced.check_unchanged(&place).unwrap();
}

#[test]
fn what_is_not_ours_is_kept_where_it_is_replaced() {
    let scene = Scene::new();
    let theirs = scene.dir.path().join("tftp/abcdef12");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("kernel"), "theirs").unwrap();
    assert!(
        scene
            .wanted()
            .open()
            .unwrap_err()
            .hint_text()
            .unwrap()
            .contains("--force")
    );
    let forced = Wanted {
        force: true,
        ..scene.wanted()
    };
    let mut stream = Cursor::new(scene.archive("ours"));
    let place = forced.open().unwrap();
    forced
        .prepare(place, &mut stream, &Silent)
        .unwrap()
        .serve()
        .unwrap();
    assert_eq!(scene.served(), "ours");
    roll_back(forced.open().unwrap()).unwrap();
    assert_eq!(scene.served(), "theirs");
}

#[test]
fn a_place_is_published_by_one_at_a_time() {
    let scene = Scene::new();
    let _held = scene.wanted().open().unwrap();
    let error = scene.wanted().open().unwrap_err();
    assert!(error.to_string().contains("by another pichroot"), "{error}");
}

/// Whatever step was the last, the next publish finds one tree or the other, and everything has its name.
#[test]
fn a_publish_that_was_stopped_leaves_one_generation_served() {
    let state = |scene: &Scene| scene.dir.path().join("tftp/.pichroot/abcdef12");
    let served = |scene: &Scene| scene.dir.path().join("tftp/abcdef12");
    // Before the exchange.
    let scene = Scene::new();
    scene.publish("one");
    drop(scene.prepare("two"));
    scene.wanted().open().unwrap();
    assert_eq!(
        (scene.served(), scene.beside()),
        ("one".into(), vec!["1.json".to_owned()])
    );
    // Just after it.
    let scene = Scene::new();
    scene.publish("one");
    drop(scene.prepare("two"));
    let (new, old) = (state(&scene).join("2"), served(&scene));
    let aside = state(&scene).join("x");
    for (from, to) in [(&old, &aside), (&new, &old), (&aside, &new)] {
        fs::rename(from, to).unwrap();
    }
    scene.wanted().open().unwrap();
    assert_eq!(
        (scene.served(), scene.beside().join(" ")),
        ("two".into(), "1 1.json 2.json".into())
    );
    // Between the renames of a file system that cannot exchange.
    let scene = Scene::new();
    scene.publish("one");
    drop(scene.prepare("two"));
    fs::rename(served(&scene), state(&scene).join("2.before")).unwrap();
    scene.wanted().open().unwrap();
    assert_eq!(
        (scene.served(), scene.beside()),
        ("one".into(), vec!["1.json".to_owned()])
    );
    // With a tree that is half made.
    fs::create_dir_all(state(&scene).join("new.x/tree")).unwrap();
    scene.wanted().open().unwrap();
    assert_eq!(scene.beside(), ["1.json"]);
}
