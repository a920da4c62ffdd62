//! Random operations on the mounted file system and on a plain directory must have the same effect.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use super::{Disk, tree};

/// A small generator (xorshift), so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Names that differ not only in case, of every length, so that a plain directory agrees.
fn name(random: &mut Random) -> String {
    let number = random.below(12);
    match random.below(5) {
        0 => format!("F{number}.TXT"),
        1 => format!("lower{number}.txt"),
        2 => format!("a much longer name than fits into one entry {number}.config"),
        3 => format!("日本{number}😀"),
        _ => format!("LONGSHORT{number}.EXT"),
    }
}

fn path(random: &mut Random) -> String {
    const DIRS: [&str; 6] = ["", "", "dir", "dir/sub", "Other Dir", "dir/sub/third"];
    let dir = DIRS[random.below(DIRS.len())];
    format!("{dir}/{}", name(random))
        .trim_start_matches('/')
        .to_owned()
}

/// One operation, the same for both trees; `salt` makes the content.
#[derive(Debug, Clone)]
enum Step {
    Write(String, usize, usize, u8),
    Truncate(String, usize),
    Rename(String, String),
    Unlink(String),
    MakeDir(String),
    RemoveDir(String),
}

fn step(random: &mut Random) -> Step {
    const DIRS: [&str; 5] = [
        "dir",
        "dir/sub",
        "Other Dir",
        "dir/sub/third",
        "Other Dir/x",
    ];
    let dir = |random: &mut Random| DIRS[random.below(DIRS.len())].to_owned();
    match random.below(14) {
        0..5 => {
            let (at, length) = (random.below(3) * random.below(20_000), random.below(30_000));
            Step::Write(path(random), at, length, random.below(256) as u8)
        }
        5 => Step::Truncate(path(random), random.below(40_000)),
        6 | 7 => Step::Rename(path(random), path(random)),
        8 => Step::Rename(dir(random), dir(random)),
        9 | 10 => Step::Unlink(path(random)),
        11 | 12 => Step::MakeDir(dir(random)),
        _ => Step::RemoveDir(dir(random)),
    }
}

fn apply(root: &Path, step: &Step) -> io::Result<()> {
    match step {
        Step::Write(path, at, length, salt) => {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(root.join(path))?;
            let bytes: Vec<u8> = (0..*length)
                .map(|i| (i as u8).wrapping_mul(31) ^ salt)
                .collect();
            file.write_all_at(&bytes, *at as u64)
        }
        Step::Truncate(path, to) => OpenOptions::new()
            .write(true)
            .open(root.join(path))?
            .set_len(*to as u64),
        Step::Rename(from, to) => fs::rename(root.join(from), root.join(to)),
        Step::Unlink(path) => fs::remove_file(root.join(path)),
        Step::MakeDir(path) => fs::create_dir(root.join(path)),
        Step::RemoveDir(path) => fs::remove_dir(root.join(path)),
    }
}

fn compare(mib: u64, args: &[&str], seed: u64, steps: usize) {
    let disk = Disk::new(mib, args);
    let plain = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    for round in 0..3 {
        let mounted = disk.mount();
        for _ in 0..steps {
            let step = step(&mut random);
            let wanted = apply(plain.path(), &step).map_err(|error| error.raw_os_error());
            let got = apply(&disk.root(), &step).map_err(|error| error.raw_os_error());
            assert_eq!(got, wanted, "seed {seed}, round {round}: {step:?}");
        }
        assert!(
            tree(&disk.root()) == tree(plain.path()),
            "seed {seed}, round {round}"
        );
        mounted.close().unwrap();
        disk.check();
        let mounted = disk.mount();
        assert!(
            tree(&disk.root()) == tree(plain.path()),
            "seed {seed}, round {round}, again"
        );
        mounted.close().unwrap();
    }
    // Another reader of FAT sees the same.
    let mut seen = Vec::new();
    let options = fatfs::FsOptions::new();
    let other = fatfs::FileSystem::new(io::Cursor::new(disk.bytes()), options).unwrap();
    read_all(&other.root_dir(), "", &mut seen);
    seen.sort();
    assert!(
        seen == tree(plain.path()),
        "seed {seed}: fatfs reads something else"
    );
}

fn read_all<T: fatfs::ReadWriteSeek>(
    dir: &fatfs::Dir<'_, T>,
    above: &str,
    seen: &mut Vec<(String, Vec<u8>)>,
) {
    for entry in dir.iter().map(Result::unwrap) {
        let path = format!("{above}{}", entry.file_name());
        if entry.file_name().trim_matches('.').is_empty() {
            continue;
        } else if entry.is_dir() {
            seen.push((format!("{path}/"), Vec::new()));
            read_all(&entry.to_dir(), &format!("{path}/"), seen);
        } else {
            let mut content = Vec::new();
            entry.to_file().read_to_end(&mut content).unwrap();
            seen.push((path, content));
        }
    }
}

#[test]
fn fat32_is_like_a_plain_directory() {
    (1..=6).for_each(|seed| compare(40, &["-F32", "-s1"], seed * 7919, 400));
}

#[test]
fn fat16_is_like_a_plain_directory() {
    (1..=4).for_each(|seed| compare(24, &["-F16", "-s4"], seed * 104_729, 400));
}

#[test]
fn fat12_is_like_a_plain_directory() {
    (1..=4).for_each(|seed| compare(8, &["-F12", "-s8"], seed * 1_299_709, 400));
}
