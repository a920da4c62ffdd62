//! Images of any layout, made larger and small again, and read from outside each time.

use std::{fs::File, os::unix::fs::FileExt, path::Path, process::Command};

use proptest::prelude::*;

use crate::{
    case::{Case, play},
    images::{self, MIB, Part, Root},
    sound::{self, Partition},
};

/// What is before the root.
#[derive(Debug, Clone)]
enum Before {
    Fat,
    Ext4,
    Noise,
}

fn before() -> impl Strategy<Value = Vec<(Before, u64)>> {
    let kind = prop_oneof![Just(Before::Fat), Just(Before::Ext4), Just(Before::Noise)];
    prop::collection::vec((kind, 2u64..6), 0..3)
}

/// The image, whose last partition is the root.
fn make(path: &Path, gpt: bool, logical: bool, before: &[(Before, u64)], root: &Part) {
    let fat = if gpt { "U" } else { "c" };
    let linux = if gpt { "L" } else { "83" };
    let mut parts: Vec<Part> = before
        .iter()
        .map(|(kind, mib)| match kind {
            Before::Fat => Part::new(fat, *mib, images::fat(*mib, "BOOT")),
            Before::Ext4 => Part::new(linux, *mib, images::no_root(*mib)),
            Before::Noise => Part::new(linux, *mib, vec![0x5a; (*mib * MIB) as usize]),
        })
        .collect();
    if logical && !gpt {
        parts.push(Part::new("extended", root.mib + 1, Vec::new()));
    }
    parts.push(Part::new(linux, root.mib, root.content.clone()));
    images::disk(path, if gpt { "gpt" } else { "dos" }, &parts);
}

fn bytes(image: &Path, part: &Partition) -> Vec<u8> {
    let mut bytes = vec![0; part.size as usize];
    let file = File::open(image).unwrap();
    file.read_exact_at(&mut bytes, part.start).unwrap();
    bytes
}

fn provision(case: &Case, source: &str, output: &str, more: &[String]) {
    let mut command: Command =
        case.ansible(&["--image", source, "--checksum", "none", "-o", output]);
    case.works(command.args(more));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn grown_and_made_small(
        (gpt, logical) in any::<(bool, bool)>(),
        before in before(),
        mib in 12u64..40,
        block in prop::sample::select(vec!["1024", "2048", "4096"]),
        more in 1u64..300_000_000,
        margin in 0u64..40,
    ) {
        let case = Case::new();
        let with = Root { files: &[("/kept", "kept\n")], mke2fs: &["-b", block], ..Root::default() };
        let linux = if gpt { "L" } else { "83" };
        let root = Part::new(linux, mib, images::root(mib, &with));
        make(&case.path("x.img"), gpt, logical, &before, &root);
        let had = sound::partitions(&case.path("x.img"));
        let (others, root) = had.split_at(had.len() - 1);

        // 1 MiB at least: a growth that is smaller than a block is none.
        provision(&case, "x.img", "large.img", &["--grow".into(), format!("+{}", MIB + more)]);
        let large = case.path("large.img");
        let now = sound::partitions(&large);
        prop_assert_eq!(others, &now[..others.len()]);
        let grown = &now[others.len()];
        prop_assert_eq!(grown.start, root[0].start);
        prop_assert!(grown.size > root[0].size);
        // resize2fs leaves out a last group that could not hold its own tables.
        prop_assert!(grown.size - grown.fs.unwrap() < 2 * MIB, "{:?}", grown);
        prop_assert!(grown.fs > root[0].fs);
        prop_assert_eq!(images::read_file(&large, grown.start, "/kept"), "kept\n");

        case.file("play.yml", play("echo small > /small"));
        provision(&case, "large.img", "small.img", &[format!("--shrink={margin}M")]);
        let small = case.path("small.img");
        let now = sound::partitions(&small);
        prop_assert_eq!(others, &now[..others.len()]);
        let shrunk = &now[others.len()];
        let tail = if gpt { 33 * 512 } else { 0 };
        prop_assert_eq!(small.metadata().unwrap().len(), shrunk.end() + tail);
        prop_assert!(shrunk.size <= grown.size && shrunk.fs.unwrap() <= shrunk.size);
        prop_assert_eq!(images::read_file(&small, shrunk.start, "/small"), "small\n");
        for part in others.iter().filter(|part| part.kind != "vfat") {
            prop_assert!(bytes(&small, part) == bytes(&case.path("x.img"), part), "{:?}", part);
        }
    }
}
