//! Images of any layout, made larger and small again, and read from outside each time.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::{
    fill,
    grow::{self, Grow},
    shrink::{self, Shrink},
};
use crate::disk::{Volume, volume};

const MIB: u64 = 1 << 20;

/// What is before the last partition.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    Fat,
    Ext4,
    Noise,
}

fn before() -> impl Strategy<Value = Vec<(Before, u64)>> {
    let kind = prop_oneof![Just(Before::Fat), Just(Before::Ext4), Just(Before::Noise)];
    prop::collection::vec((kind, 2u64..6), 0..3)
}

fn run(program: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}");
    text
}

/// An image in a folder of its own.
struct Image {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Image {
    /// With a file in the last partition, an ext4 of so many `mib` with blocks of that size.
    fn new(label: &str, logical: bool, before: &[(Before, u64)], mib: u64, block: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.img");
        let mut script = format!("label: {label}\n");
        let mut at = MIB;
        let mut place = |mib: u64, script: &mut String| {
            let start = at;
            at += (mib + 1) * MIB;
            script.push_str(&format!(
                "start={}, size={}\n",
                start / 512,
                mib * MIB / 512
            ));
            start
        };
        let starts: Vec<u64> = before
            .iter()
            .map(|(_, mib)| place(*mib, &mut script))
            .collect();
        if logical {
            // It begins where the next one would, which is 1 MiB behind.
            let start = place(0, &mut String::new());
            script.push_str(&format!(
                "start={}, size={}, type=f\n",
                start / 512,
                (mib + 1) * MIB / 512
            ));
        }
        let last = place(mib, &mut script);
        File::create(&path)
            .unwrap()
            .set_len(last + (mib + 1) * MIB)
            .unwrap();
        let image = Image { dir, path };
        run("sfdisk", &["-q", "--no-reread", image.name()], &script);
        for ((kind, mib), start) in before.iter().zip(starts) {
            match kind {
                Before::Fat => image.fat(start, *mib),
                Before::Ext4 => image.ext4(start, *mib, "1024"),
                Before::Noise => image
                    .file()
                    .write_all_at(&vec![0x5a; (mib * MIB) as usize], start)
                    .unwrap(),
            }
        }
        image.ext4(last, mib, block);
        image
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn fat(&self, start: u64, mib: u64) {
        let part = self.dir.path().join("fat");
        File::create(&part).unwrap().set_len(mib * MIB).unwrap();
        run("mkfs.vfat", &[part.to_str().unwrap()], "");
        self.file()
            .write_all_at(&fs::read(part).unwrap(), start)
            .unwrap();
    }

    fn ext4(&self, start: u64, mib: u64, block: &str) {
        let top = self.dir.path().join("top");
        fs::create_dir_all(&top).unwrap();
        fs::write(top.join("kept"), "kept\n".repeat(1000)).unwrap();
        let (offset, size) = (format!("offset={start}"), format!("{mib}M"));
        let args = [
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            block,
            "-E",
            &offset,
            "-d",
            top.to_str().unwrap(),
            self.name(),
            &size,
        ];
        run("mke2fs", &args, "");
    }

    fn file(&self) -> File {
        File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .unwrap()
    }

    fn size(&self) -> u64 {
        self.path.metadata().unwrap().len()
    }

    /// Its partitions; table and file systems are sound, and the last has its file.
    fn sound(&self) -> Vec<Volume> {
        let text = run("sfdisk", &["--verify", self.name()], "");
        assert!(text.contains("No errors detected"), "{text}");
        let (_, volumes) = volume::read(&self.file(), self.size(), "x.img").unwrap();
        for volume in &volumes {
            let inside = format!("{}?offset={}", self.name(), volume.partition.start);
            match volume.fs.as_ref().map(|fs| fs.kind.name()) {
                Some("ext4") => drop(run("e2fsck", &["-f", "-n", &inside], "")),
                Some("vfat") => {
                    let part = self.dir.path().join("part");
                    fs::write(&part, self.bytes(volume)).unwrap();
                    run("fsck.vfat", &["-n", part.to_str().unwrap()], "");
                }
                _ => {}
            }
        }
        let last = volumes.last().unwrap();
        let inside = format!("{}?offset={}", self.name(), last.partition.start);
        let text = run("debugfs", &["-R", "cat /kept", &inside], "");
        assert!(text.contains(&"kept\n".repeat(1000)), "{text}");
        volumes
    }

    fn bytes(&self, volume: &Volume) -> Vec<u8> {
        let mut bytes = vec![0; volume.partition.size as usize];
        self.file()
            .read_exact_at(&mut bytes, volume.partition.start)
            .unwrap();
        bytes
    }

    /// How many bytes the ext4 of the partition has.
    fn ext4_size(&self, volume: &Volume) -> u64 {
        let inside = format!("{}?offset={}", self.name(), volume.partition.start);
        let text = run("dumpe2fs", &["-h", &inside], "");
        let number = |label: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(label));
            line.unwrap().trim().parse().unwrap()
        };
        number("Block count:") * number("Block size:")
    }

    fn scratch(&self) -> PathBuf {
        let scratch = self.dir.path().join("scratch");
        fs::create_dir_all(scratch.join("dev")).unwrap();
        scratch
    }

    fn grow(&self, more: u64) {
        let file = self.file();
        let (table, volumes) = volume::read(&file, self.size(), "x.img").unwrap();
        let wanted: Grow = format!("+{more}").parse().unwrap();
        let sizes = (self.size(), self.size());
        let plan = grow::plan(&mut &file, (&table, &volumes), sizes, wanted, "x.img");
        grow::make_room(&file, &table, &plan.unwrap().unwrap(), "x.img").unwrap();
        let (_, volumes) = volume::read(&file, self.size(), "x.img").unwrap();
        fill::fill(&file, volumes.last().unwrap(), &self.scratch()).unwrap();
    }

    fn shrink(&self, margin: u64) {
        let file = self.file();
        let (table, volumes) = volume::read(&file, self.size(), "x.img").unwrap();
        let volume = shrink::last(&volumes, "x.img").unwrap().clone();
        let number = volume.partition.number;
        let wanted = Shrink { volume, margin };
        let size = shrink::shrink(&file, &wanted, &self.scratch()).unwrap();
        shrink::cut(&file, &table, number, size, "x.img").unwrap();
    }
}

fn there_and_back(
    label: &str,
    logical: bool,
    before: &[(Before, u64)],
    (mib, block): (u64, &str),
    more: u64,
    margin: u64,
) {
    let image = Image::new(label, logical, before, mib, block);
    let had = image.sound();
    let (last, others) = had.split_last().unwrap();
    let contents: Vec<_> = others.iter().map(|volume| image.bytes(volume)).collect();
    let unchanged = |now: &[Volume]| {
        assert_eq!(others, &now[..others.len()]);
        let same = |(volume, bytes): (&Volume, &Vec<u8>)| image.bytes(volume) == *bytes;
        assert!(others.iter().zip(&contents).all(same));
    };

    image.grow(more);
    let now = image.sound();
    unchanged(&now);
    let grown = now.last().unwrap();
    assert_eq!(grown.partition.start, last.partition.start);
    assert!(grown.partition.size > last.partition.size);
    let full = image.ext4_size(grown);
    // resize2fs leaves out a last group that could not hold its own tables.
    assert!(
        full <= grown.partition.size && full + 2 * MIB > grown.partition.size,
        "{full} {grown:?}"
    );

    image.shrink(margin);
    let now = image.sound();
    unchanged(&now);
    let shrunk = now.last().unwrap();
    let size = shrunk.partition.size;
    assert!(
        size <= grown.partition.size && image.ext4_size(shrunk) <= size,
        "{shrunk:?}"
    );
    let tail = if label == "gpt" { 33 * 512 } else { 0 };
    assert_eq!(image.size(), shrunk.partition.start + size + tail);
}

fn is_possible() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        crate::skip::skip("loop devices need root");
    }
    is_root
}

#[test]
fn the_smallest_and_awkward_sizes() {
    if !is_possible() {
        return;
    }
    for (mib, block, more, margin) in [
        // As little as makes a difference.
        (2, "1024", MIB, 0),
        (3, "4096", MIB + 1, 1),
        // A sector more than a group of blocks.
        (8, "1024", 8 * MIB + 513, 4096),
        (33, "2048", 3_333_333, 1_234_567),
    ] {
        there_and_back("dos", false, &[], (mib, block), more, margin);
        there_and_back(
            "gpt",
            false,
            &[(Before::Fat, 2)],
            (mib, block),
            more,
            margin,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layout(
        label in prop::sample::select(vec!["dos", "gpt"]),
        logical: bool,
        before in before(),
        mib in 2u64..40,
        block in prop::sample::select(vec!["1024", "2048", "4096"]),
        more in 0u64..300_000_000,
        margin in 0u64..40_000_000,
    ) {
        if is_possible() {
            there_and_back(label, logical && label == "dos", &before, (mib, block), MIB + more, margin);
        }
    }
}
