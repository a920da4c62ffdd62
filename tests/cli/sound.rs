//! An image read from outside: its table, and the file system of each of its partitions.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::Command,
};

use crate::support::run;

/// A partition, as sfdisk has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    pub number: u32,
    /// In bytes.
    pub start: u64,
    pub size: u64,
    /// What blkid calls its content; empty if that is nothing.
    pub kind: String,
    /// How large the file system is, in bytes, for those that can be asked.
    pub fs: Option<u64>,
}

impl Partition {
    /// Where it ends, in bytes.
    pub fn end(&self) -> u64 {
        self.start + self.size
    }
}

/// The partitions of the image at `path`, whose table and file systems are sound.
#[track_caller]
pub fn partitions(path: &Path) -> Vec<Partition> {
    let said = run(Command::new("sfdisk").arg("--verify").arg(path));
    assert!(said.contains("No errors detected"), "{said}");
    let json = run(Command::new("sfdisk").arg("-J").arg(path));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let listed = json["partitiontable"]["partitions"].as_array().unwrap();
    let plain = listed
        .iter()
        .filter(|one| !matches!(one["type"].as_str(), Some("5" | "f")));
    let found = plain.map(|one| {
        let node = one["node"].as_str().unwrap();
        let digits = node.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
        let bytes = |key: &str| one[key].as_u64().unwrap() * 512;
        let (start, size) = (bytes("start"), bytes("size"));
        let (kind, fs) = content(path, start, size);
        Partition {
            number: digits.parse().unwrap(),
            start,
            size,
            kind,
            fs,
        }
    });
    found.collect()
}

/// What is in `size` bytes of the image from `start` on, which is sound, and how large its file system is.
fn content(image: &Path, start: u64, size: u64) -> (String, Option<u64>) {
    let part = cut(image, start, size);
    let path = part.path();
    let said = Command::new("blkid")
        .args(["-p", "-o", "value", "-s", "TYPE"])
        .arg(path)
        .output();
    let kind = String::from_utf8(said.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned();
    let with = |program: &str, args: &[&str]| run(Command::new(program).args(args).arg(path));
    let after = |text: String, label: &str| -> u64 {
        let rest = text
            .split(label)
            .nth(1)
            .unwrap_or_else(|| panic!("no {label} in {text}"));
        let digits = rest.trim_start();
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits[..end].parse().unwrap()
    };
    let fs = match &*kind {
        "ext2" | "ext3" | "ext4" => {
            with("e2fsck", &["-f", "-n"]);
            let text = with("dumpe2fs", &["-h"]);
            Some(after(text.clone(), "Block count:") * after(text, "Block size:"))
        }
        "vfat" => {
            with("fsck.vfat", &["-n"]);
            None
        }
        "btrfs" => {
            with("btrfs", &["check", "--readonly"]);
            Some(after(
                with("btrfs", &["inspect-internal", "dump-super"]),
                "total_bytes",
            ))
        }
        "xfs" => {
            with("xfs_repair", &["-n"]);
            let text = with(
                "xfs_db",
                &["-r", "-c", "sb 0", "-c", "p dblocks", "-c", "p blocksize"],
            );
            Some(after(text.clone(), "dblocks = ") * after(text, "blocksize = "))
        }
        "f2fs" => {
            let text = with("fsck.f2fs", &["--dry-run"]);
            assert!(!text.contains("[Fail]"), "{text}");
            Some(after(text, "total FS sectors =") * 512)
        }
        _ => None,
    };
    (kind, fs)
}

/// A file with these bytes of the image, without its holes.
fn cut(image: &Path, start: u64, size: u64) -> tempfile::NamedTempFile {
    let mut part = tempfile::NamedTempFile::new().unwrap();
    let mut file = File::open(image).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    let mut reader = file.take(size);
    let mut chunk = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut chunk).unwrap();
        match chunk[..count].iter().any(|byte| *byte != 0) {
            _ if count == 0 => break,
            true => part.write_all(&chunk[..count]).unwrap(),
            false => drop(part.seek(SeekFrom::Current(count as i64)).unwrap()),
        }
    }
    part.as_file().set_len(size).unwrap();
    part
}

/// The size of a file, in bytes.
pub fn length(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}
