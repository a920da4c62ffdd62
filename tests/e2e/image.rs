//! An image read from outside: by debugfs and mtools, without mounting anything.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{run, with_input};

/// The partitions of the base image, by tests/fixtures/pi-disk.sh, in bytes.
pub const BOOT: u64 = 2048 * 512;
pub const ROOT: u64 = 526_336 * 512;

pub struct Image(PathBuf);

/// A file's inode, as far as tests look at it.
#[derive(Debug, PartialEq, Eq)]
pub struct Inode {
    pub mode: String,
    pub user: u32,
    pub group: u32,
    /// Seconds, in hexadecimal, as debugfs prints them.
    pub modified: String,
}

impl Image {
    pub fn new(path: &Path) -> Self {
        Image(path.to_owned())
    }

    fn debugfs(&self, request: &str) -> String {
        let device = format!("{}?offset={ROOT}", self.0.display());
        run(Command::new("debugfs").args(["-R", request, &device]))
    }

    /// A file of the root file system.
    pub fn cat(&self, path: &str) -> String {
        assert!(self.exists(path), "{path} is missing");
        self.debugfs(&format!("cat {path}"))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.debugfs(&format!("stat {path}")).contains("Inode:")
    }

    pub fn inode(&self, path: &str) -> Inode {
        let text = self.debugfs(&format!("stat {path}"));
        let after = |label: &str| {
            let (_, rest) = text
                .split_once(label)
                .unwrap_or_else(|| panic!("{path} has no {label}: {text}"));
            rest.split_whitespace().next().unwrap().to_owned()
        };
        Inode {
            mode: after("Mode:"),
            user: after("User:").parse().unwrap(),
            group: after("Group:").parse().unwrap(),
            modified: after(" mtime:"),
        }
    }

    /// The extended attributes of a file, as debugfs lists them.
    pub fn attributes(&self, path: &str) -> String {
        self.debugfs(&format!("ea_list {path}"))
    }

    /// The target of a symlink.
    pub fn link(&self, path: &str) -> String {
        let text = self.debugfs(&format!("stat {path}"));
        let quoted = text.split_once("link dest: \"").map(|(_, rest)| rest);
        let target = quoted.and_then(|rest| rest.split_once('"'));
        target.unwrap_or_else(|| panic!("{path}: {text}")).0.into()
    }

    /// The names in a directory, sorted; the file system has them in the order of their hashes.
    pub fn list(&self, path: &str) -> Vec<String> {
        // One "/INODE/MODE/USER/GROUP/NAME/SIZE/" a line.
        let text = self.debugfs(&format!("ls -p {path}"));
        let names = text.lines().filter_map(|line| line.split('/').nth(5));
        let names = names.filter(|name| !matches!(*name, "." | ".." | ""));
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Where the first block of a file is in the image, in bytes.
    pub fn offset(&self, path: &str) -> u64 {
        let blocks = self.debugfs(&format!("blocks {path}"));
        let first: u64 = blocks.split_whitespace().next().unwrap().parse().unwrap();
        ROOT + first * 4096
    }

    /// A file of the boot partition.
    pub fn boot_file(&self, name: &str) -> String {
        let device = format!("{}@@{BOOT}", self.0.display());
        run(Command::new("mtype").args(["-i", &device, &format!("::{name}")]))
    }

    /// Where any of `texts` is in the image, and which: in files, deleted ones and all else.
    pub fn find(&self, texts: &[&str]) -> Vec<(u64, String)> {
        // On standard input: a watcher of argument lists must not find the test's own.
        let mut grep = Command::new("grep");
        grep.env("LC_ALL", "C").args(["-aobF", "-f", "-"]);
        let found = with_input(grep.arg(&self.0), &texts.join("\n"));
        assert_ne!(found.status.code(), Some(2), "{found:?}");
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        let place = |line: &str| {
            let (offset, text) = line.split_once(':').unwrap();
            (offset.parse().unwrap(), text.to_owned())
        };
        text.lines().map(place).collect()
    }

    /// Both file systems are clean. `scratch` is a directory for a copy of the boot partition.
    pub fn assert_clean(&self, scratch: &Path) {
        let device = format!("{}?offset={ROOT}", self.0.display());
        run(Command::new("e2fsck").args(["-f", "-n", &device]));
        let boot = scratch.join("boot.part");
        run(Command::new("dd")
            .arg(format!("if={}", self.0.display()))
            .arg(format!("of={}", boot.display()))
            .args(["bs=1M", "skip=1", "count=256", "conv=sparse", "status=none"]));
        run(Command::new("fsck.vfat").arg("-n").arg(&boot));
        std::fs::remove_file(boot).unwrap();
    }
}
