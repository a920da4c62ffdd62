//! What is written, read by sfdisk and sgdisk, and by our own reader.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::*;
use crate::disk::{partition::Partition, table::read_table};

/// The room that sfdisk leaves for the record before a logical partition, in sectors.
const RECORD: u64 = 2048;

const BOOT_CODE: &[u8] = b"boot code of somebody";

fn sfdisk(args: &[&str], path: &Path, input: &str) -> String {
    let mut child = Command::new("sfdisk")
        .args(args)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sfdisk of the package fdisk");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{args:?} {input}: {text}");
    text
}

/// An image in a file, with the table that `script` asks for.
struct Image(tempfile::NamedTempFile);

impl Image {
    fn new(size: u64, script: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        sfdisk(&["-q", "--no-reread"], file.path(), script);
        file.as_file().write_all_at(BOOT_CODE, 0).unwrap();
        Image(file)
    }

    fn file(&self) -> &File {
        self.0.as_file()
    }

    fn size(&self) -> u64 {
        self.file().metadata().unwrap().len()
    }

    fn table(&self) -> Table {
        read_table(&mut self.file(), self.size(), "x.img").unwrap()
    }

    fn editor(&self) -> Editor {
        Editor::open(&mut self.file(), &self.table(), self.size(), "x.img").unwrap()
    }

    fn last(&self) -> Partition {
        let table = self.table();
        let last = table.partitions.into_iter().max_by_key(|p| p.start);
        last.unwrap()
    }

    /// Has partition `number` end at `end` in an image of `size` bytes.
    fn resize(&self, number: u32, end: u64, size: u64) {
        let patches = self.editor().end_at(number, end, size).unwrap();
        if size > self.size() {
            self.file().set_len(size).unwrap();
        }
        write(self.file(), &patches).unwrap();
        self.file().set_len(size).unwrap();
    }

    /// The partitions as sfdisk lists them, without the extended one: it has no content of its own.
    fn listed(&self) -> Vec<String> {
        let dump = sfdisk(&["-d"], self.0.path(), "");
        let lines = dump.lines().filter(|line| line.contains("start="));
        let plain = lines.filter(|line| !line.contains("type=f"));
        plain.map(str::to_owned).collect()
    }

    fn assert_sound(&self) {
        let text = sfdisk(&["--verify"], self.0.path(), "");
        assert!(text.contains("No errors detected"), "{text}");
        assert!(!text.to_lowercase().contains("mismatch"), "{text}");
        let mut code = vec![0; BOOT_CODE.len()];
        self.file().read_exact_at(&mut code, 0).unwrap();
        assert_eq!(code, BOOT_CODE);
        if self.table().kind == TableKind::Gpt {
            let output = Command::new("sgdisk").arg("-v").arg(self.0.path()).output();
            let output = output.expect("sgdisk of the package gdisk");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("No problems found"), "{text}");
        }
    }
}

/// Grows the last partition in an image that gets `more` sectors, and makes both as small as they were, or smaller by
/// `less` sectors: each time the table is sound, and nothing else has changed.
fn there_and_back(sectors: u64, script: &str, more: u64, less: u64) {
    let image = Image::new(sectors * 512, script);
    let (last, before) = (image.last(), image.listed());
    let end = last.start + last.size;
    let number = last.number;

    let grown = image.size() + more * 512;
    let highest = image.editor().highest_end(number, grown);
    assert!(highest >= end && highest <= grown, "{script}");
    image.resize(number, highest, grown);
    image.assert_sound();
    assert_eq!(image.last().size, highest - last.start, "{script}");
    assert_eq!(image.editor().highest_end(number, grown), highest);

    let end = end - (less * 512).min(last.size - 512);
    let smallest = image.editor().smallest_image(end);
    image.resize(number, end, smallest);
    image.assert_sound();
    assert_eq!(image.last().size, end - last.start, "{script}");
    assert_eq!(image.editor().highest_end(number, smallest), end);
    let size = |bytes: u64| format!("size={:>12}", bytes / 512);
    let after = image.listed();
    let (changed, others): (Vec<_>, Vec<_>) = after
        .iter()
        .partition(|line| line.contains(&format!("start={:>12}", last.start / 512)));
    assert_eq!(changed.len(), 1, "{after:?}");
    let old = changed[0].replace(&size(end - last.start), &size(last.size));
    assert!(before.contains(&old), "{old} is not in {before:?}");
    assert!(others.iter().all(|line| before.contains(line)));
    assert_eq!(after.len(), before.len());
}

#[test]
fn layouts_that_people_have() {
    for (sectors, script) in [
        (40_000, "label: dos\n63,8000,c\n16384,20000,83\n"),
        // Gaps in the numbers, and the last in number is not the last on the disk.
        (
            60_000,
            "label: dos\n3: start=2048,size=4096,type=83\n1: start=30000,size=9,type=83\n",
        ),
        // Logical partitions, with room between them.
        (
            120_000,
            "label: dos\n63,8000,c\n16384,60000,f\n18432,20000,83\n40960,20000,83\n",
        ),
        (120_000, "label: dos\n2048,90000,f\n4096,500,83\n"),
        // A primary partition behind the extended one.
        (
            120_000,
            "label: dos\n2048,40000,f\n4096,500,83\n90000,2000,83\n",
        ),
        (
            100_000,
            "label: gpt\ntable-length: 64\nfirst-lba: 34\nstart=64,size=1900,type=U,name=loader\n\
             start=16384,size=40960,type=L,name=\"ä b\",attrs=\"GUID:59 RequiredPartition\"\n",
        ),
        // No room behind the last partition but for the backup.
        (8192, "label: gpt\nstart=2048,type=L\n"),
        (8192, "label: dos\nstart=1,type=83\n"),
    ] {
        for (more, less) in [
            (0, 0),
            (1, 0),
            (7, 1),
            (33, 8),
            (4096, 100),
            (10_000_000, 3),
        ] {
            there_and_back(sectors, script, more, less);
        }
    }
}

/// A Pi's: the boot partition is in both tables.
#[test]
fn a_hybrid_keeps_its_entries() {
    let image = Image::new(40_000 * 512, "label: gpt\n2048,8192,U\n16384,16000,L\n");
    let entry = |slot: usize, type_: u8, start: u32, count: u32| {
        let mut entry = [0; 16];
        entry[4] = type_;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..16].copy_from_slice(&count.to_le_bytes());
        image
            .file()
            .write_all_at(&entry, 446 + 16 * slot as u64)
            .unwrap();
    };
    let counts = || {
        let mut sector = [0; 512];
        image.file().read_exact_at(&mut sector, 0).unwrap();
        [0, 1, 2]
            .map(|slot| u32::from_le_bytes(*sector[446 + 16 * slot + 12..].first_chunk().unwrap()))
    };
    entry(0, 0x0c, 2048, 8192);
    entry(1, 0xee, 1, 2047);
    entry(2, 0x83, 16384, 16000);
    let size = 80_000 * 512;
    let end = image.editor().highest_end(2, size);
    image.resize(2, end, size);
    assert_eq!(counts(), [8192, 2047, (end / 512 - 16384) as u32]);
    assert_eq!(image.last().size, end - 16384 * 512);
    let text = sfdisk(&["--verify"], image.0.path(), "");
    assert!(text.contains("No errors detected"), "{text}");
}

/// The first copy is damaged, and the backup is used and both are written.
#[test]
fn a_damaged_gpt_is_whole_again() {
    let image = Image::new(
        40_000 * 512,
        "label: gpt\n2048,8192,U\nstart=16384,size=16000,type=L,name=root\n",
    );
    let before = image.listed();
    image.file().write_all_at(&[0; 200], 512).unwrap();
    let size = 50_000 * 512;
    image.resize(2, 32384 * 512, size);
    image.assert_sound();
    assert_eq!(image.listed(), before);
}

#[test]
fn a_dos_table_ends_at_2_tib() {
    let image = Image::new(40_000 * 512, "label: dos\n2048,8000,83\n");
    let size = 3 << 40;
    let end = image.editor().highest_end(1, size);
    let error = image.editor().end_at(1, end, size).unwrap_err();
    assert!(error.to_string().contains("2 TiB"), "{error}");
    assert!(image.editor().end_at(1, 1 << 41, size).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_layout(
        gpt: bool,
        parts in prop::collection::vec((0u64..3000, 1u64..9000), 1..4),
        extended in prop::option::of(0u64..3000),
        tail in 0u64..5000,
        more in 0u64..100_000,
        less in 0u64..9000,
    ) {
        let mut at = 2048;
        let mut script = if gpt { "label: gpt\n" } else { "label: dos\n" }.to_owned();
        let logical = extended.filter(|_| !gpt);
        if let Some(gap) = logical {
            let all: u64 = parts.iter().map(|(gap, size)| gap + size + RECORD).sum();
            script += &format!("start={at},size={},type=f\n", all + gap);
        }
        for (gap, size) in &parts {
            at += gap + if logical.is_some() { RECORD } else { 0 };
            script += &format!("start={at},size={size}\n");
            at += size;
        }
        // sfdisk places partitions of disks below 5 MiB by rules of their own.
        let sectors = (at + logical.unwrap_or(0) + tail + 40).max(12_000);
        there_and_back(sectors, &script, more, less);
    }
}
