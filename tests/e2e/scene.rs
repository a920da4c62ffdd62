//! What each test begins with: a directory of its own, and the host as it was before.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::support::{Host, pichroot, raw_image};

/// Only one exists at a time in a mount namespace, where `cargo test` has many threads: each looks at the whole host.
pub struct Scene {
    before: Host,
    dir: TempDir,
    _alone: File,
}

impl Scene {
    pub fn new() -> Self {
        let lock = std::env::temp_dir().join("pichroot-tests-alone.lock");
        let alone = File::create(lock).expect("a lock file");
        alone.lock().expect("the lock");
        raw_image();
        let dir = tempfile::tempdir().expect("a directory");
        Scene {
            before: Host::now(),
            dir,
            _alone: alone,
        }
    }

    /// A playbook of these tasks, without gathering facts; the result is `out.img`.
    pub fn with_tasks(tasks: &str) -> Self {
        let scene = Scene::new();
        scene.write_play(tasks);
        scene
    }

    pub fn write_play(&self, tasks: &str) {
        let tasks = tasks.trim_end().replace('\n', "\n    ");
        let play = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    {tasks}\n");
        fs::write(self.path("play.yml"), play).expect("the playbook");
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn output(&self) -> PathBuf {
        self.path("out.img")
    }

    /// `pichroot ansible play.yml` on the unpacked base image, which is quickest.
    pub fn ansible(&self) -> Command {
        self.ansible_on(&raw_image())
    }

    /// The same on another image.
    pub fn ansible_on(&self, image: &Path) -> Command {
        let mut command = pichroot(self.dir());
        command
            .args(["ansible", "play.yml", "--output", "out.img"])
            .args(["--checksum", "none", "--image"])
            .arg(image);
        command
    }

    /// An empty cache, for tests that want the image to be unpacked. Made before the command, so
    /// that it is not taken for something left behind.
    pub fn with_own_cache<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("PICHROOT_CACHE_DIR", self.path("cache"))
    }

    /// Every file name in the directory of the output, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).expect("the test's directory");
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The host is as before, and beside what the test wrote there is nothing but `made`.
    pub fn assert_left(&self, made: &[&str]) {
        self.before.assert_unchanged();
        let own = ["cache", "play.yml"];
        let names = self.names();
        let left: Vec<_> = names
            .iter()
            .filter(|n| !own.contains(&n.as_str()))
            .collect();
        assert_eq!(left, made, "files beside the output");
    }

    pub fn host(&self) -> &Host {
        &self.before
    }
}
