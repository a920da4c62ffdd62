//! Right and wrong pichroot.yml files.

use super::*;
use crate::disk::layout::GivenEntry;

fn parse(text: &str) -> Result<File> {
    File::parse(text, Path::new("/c/pichroot.yml"))
}

fn refused(text: &str, what: &str, hint: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.to_string().contains(what), "{error} / {what}");
    let given = error.hint_text().unwrap();
    assert!(given.contains(hint), "{given} / {hint}");
}

#[test]
fn every_key() {
    let file = parse(
        "image:\n  source: a.img.xz\n  checksum: none\n  output: '{hn_hostname}.img'\n  \
         layout: {1: /boot, 2: /}\nansible: {user: ubuntu, args: [-v], inventory: [hosts], \
         command: ap}\nvars: {hn_pi: true}\nsecrets:\n  z: {vault: /secret/c, field: key}\n  \
         a: {env: A}\n  b: prompt\n  c: {prompt: true}\nnetwork: none\nemulation: qemu\n\
         on_error: keep\nshortcuts: {sync: false, apt-hooks: false}\n",
    )
    .unwrap();
    let path = |path: &str| GivenEntry::Path(path.into());
    assert_eq!(file.image.layout.unwrap()[&2], path("/"));
    assert_eq!(file.vars["hn_pi"], true);
    let names: Vec<_> = file
        .secrets
        .0
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["z", "a", "b", "c"]);
    assert_eq!(file.network, Some(Network::None));
    assert_eq!(file.on_error, Some(OnError::Keep));
    let shortcuts = file.shortcuts;
    assert!(!shortcuts.sync && !shortcuts.apt_hooks);
    assert!(shortcuts.initramfs && shortcuts.packages);
}

/// Readers of YAML do not agree on what `on` is.
#[test]
fn whether_there_may_be_a_unit_is_said_in_either_way() {
    for (text, meant) in [
        ("on", FirstBoot::On),
        ("true", FirstBoot::On),
        ("off", FirstBoot::Off),
        ("false", FirstBoot::Off),
    ] {
        let file = parse(&format!("first_boot: {text}\nlive: fail\n")).unwrap();
        assert_eq!(file.first_boot, Some(meant), "{text}");
        assert_eq!(file.live, Some(Live::Fail));
    }
    refused("first_boot: never\n", "first_boot is on or off", "");
    refused("live: never\n", "/c/pichroot.yml:1", "");
}

#[test]
fn nothing_is_a_configuration_too() {
    parse("").unwrap();
    parse("# only a comment\n").unwrap();
    parse("vars:\nsecrets:\n").unwrap();
}

#[test]
fn unknown_keys_are_placed_and_the_nearest_is_named() {
    refused(
        "image:\n  source: a\n  chekcsum: x\n",
        "/c/pichroot.yml:3: unknown key image.chekcsum",
        "did you mean checksum?",
    );
    refused(
        "imgae: {}\n",
        "/c/pichroot.yml:1: unknown key imgae",
        "image",
    );
    refused(
        "shortcuts: {apt_hooks: false}\n",
        "/c/pichroot.yml:1: unknown key shortcuts.apt_hooks",
        "did you mean apt-hooks?",
    );
    refused(
        "image: {zzzzzz: 4G}\n",
        "unknown key image.zzzzzz",
        "known keys here are source",
    );
    refused(
        "secrets:\n  pw: {vualt: x}\n",
        "unknown key secrets.pw.vualt",
        "did you mean vault?",
    );
}

#[test]
fn a_secret_in_place_of_its_source_is_not_repeated() {
    for text in [
        "secrets: {pw: hunter2}",
        "secrets: {pw: [hunter2]}",
        "secrets: {pw: {env: hunter2, file: hunter2}}",
        "secrets: {pw: {prompt: hunter2}}",
        "secrets: hunter2",
        "image: hunter2",
        "vars: hunter2",
        "vars: {a: !x hunter2}",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn wrong_values_and_broken_yaml_name_the_line() {
    refused("image: {}\nnetwork: bridge\n", "/c/pichroot.yml:2", "");
    refused("image: {}\nvars: [\n", "/c/pichroot.yml:", "");
    refused(
        "secrets:\n  a: prompt\n  a: prompt\n",
        "a is there twice",
        "",
    );
    refused("secrets:\n  a-b: prompt\n", "not a variable name", "");
}

#[test]
fn the_files_in_the_manual_are_read() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, count) in [
        ("README.md", 1),
        ("docs/configuration.md", 2),
        ("docs/virtual-machines.md", 1),
        ("docs/from-packer.md", 1),
    ] {
        let text = fs::read_to_string(checkout.join(page)).unwrap();
        let blocks = text.split("```").skip(1).step_by(2);
        let files: Vec<_> = blocks
            .filter_map(|block| block.strip_prefix("yaml\n"))
            .filter(|block| block.contains("image:"))
            .collect();
        assert_eq!(files.len(), count, "{page}");
        for file in files {
            let file = File::parse(file, Path::new(page)).unwrap();
            assert!(file.image.source.is_some(), "{page}");
        }
    }
}
