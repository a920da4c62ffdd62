//! `--with`: what is made beside the outputs.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Command,
};

use serde_json::Value;
use sha2::Digest;

use crate::{
    case::{Case, play},
    images::{self, MIB, Root},
    support::run,
};

const SOURCE: [&str; 4] = ["--image", "x.img", "--checksum", "none"];

fn sha256(path: &Path) -> String {
    let digest = sha2::Sha256::digest(fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn sums_of_several_runs_are_in_one_file() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let with = ["--with", "sha256sums"];
    case.works(
        case.ansible(&SOURCE)
            .args(["-o", "a.img", "-o", "a.img.gz"])
            .args(with),
    );
    case.works(case.ansible(&SOURCE).args(["-o", "b.tar"]).args(with));
    case.works(
        case.ansible(&SOURCE)
            .args(["-o", "a.img.gz", "--force"])
            .args(with),
    );
    let check = "sha256sum --check --strict SHA256SUMS";
    let said = run(Command::new("sh")
        .args(["-c", check])
        .current_dir(case.folder()));
    assert_eq!(said.lines().count(), 3, "{said}");
    let mode = case
        .path("SHA256SUMS")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
}

/// bmaptool writes the image with it, over noise, and all that matters is there.
#[test]
fn a_block_map_for_bmaptool() {
    let case = Case::new();
    // A file of zeros is not stored in the image, and still has to be zeros.
    let zeros = "\0".repeat(200_000);
    let files = [("/zeros", &*zeros)];
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            files: &files,
            ..Root::default()
        },
    );
    case.works(
        case.ansible(&SOURCE)
            .args(["-o", "a.img", "-o", "a.img.xz", "--with", "bmap"]),
    );
    let image = case.path("a.img");
    for source in ["a.img", "a.img.xz"] {
        let card = case.path("card");
        let size = image.metadata().unwrap().len();
        fs::write(&card, vec![0xa5; size as usize]).unwrap();
        let mut command = Command::new("bmaptool");
        command.args(["copy", "--bmap", "a.img.bmap", source, "card"]);
        run(command.current_dir(case.folder()));
        assert_eq!(images::read_file(&card, 4 * MIB, "/zeros"), zeros);
        crate::sound::partitions(&card);
    }
    let text = fs::read_to_string(case.path("a.img.bmap")).unwrap();
    let number = |name: &str| -> u64 {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.trim().parse().unwrap()
    };
    // What nobody uses is not in it, and all zeros that matter are.
    let stored = std::os::unix::fs::MetadataExt::blocks(&image.metadata().unwrap()) / 8;
    let mapped = number("MappedBlocksCount");
    assert!(
        mapped > stored + 200_000 / 4096 && mapped < number("BlocksCount") / 2,
        "{text}"
    );
}

#[test]
fn a_list_for_imager() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file(
        "pichroot.yml",
        "image: {source: x.img, checksum: none, output: my.img.xz}\n\
         finish: {with: [imager], imager: {url: 'https://example.org/i', devices: [pi4-64bit]}}\n",
    );
    case.works(case.ansible(&[]).env("SOURCE_DATE_EPOCH", "1700000000"));
    let os = &json(&case.path("my.imager.json"))["os_list"][0];
    let unpacked = run(Command::new("sh")
        .args(["-c", "xz -dc my.img.xz > plain.img; sha256sum < plain.img"])
        .current_dir(case.folder()));
    assert_eq!(os["extract_sha256"].as_str().unwrap(), &unpacked[..64]);
    assert_eq!(
        os["extract_size"],
        case.path("plain.img").metadata().unwrap().len()
    );
    assert_eq!(
        os["image_download_sha256"].as_str().unwrap(),
        sha256(&case.path("my.img.xz"))
    );
    assert_eq!(
        os["image_download_size"],
        case.path("my.img.xz").metadata().unwrap().len()
    );
    assert_eq!(os["url"], "https://example.org/i/my.img.xz");
    assert_eq!(os["release_date"], "2023-11-14");
    assert_eq!(os["name"], "my (Tiny Linux)");
}

#[test]
fn a_manifest_says_what_the_image_is_made_of() {
    let case = Case::new();
    let status =
        "Package: busybox\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.35\n";
    let files = [("/var/lib/dpkg/status", status)];
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            files: &files,
            ..Root::default()
        },
    );
    case.file(
        "play.yml",
        play("echo {{ shown }} {{ hidden }} > /done; sleep 1"),
    );
    // One that is there twice is taken from beside the playbook.
    for (path, text) in [
        (
            "collections/ansible_collections/a/b/MANIFEST.json",
            "{\"collection_info\": {\"version\": \"1.2.3\"}}",
        ),
        (
            "others/ansible_collections/a/b/galaxy.yml",
            "version: 9.9.9\n",
        ),
        (
            "others/ansible_collections/a/c/galaxy.yml",
            "version: 0.1.0\n",
        ),
    ] {
        case.file(path, text);
    }
    let mut command = case.ansible(&SOURCE);
    command
        .env("ANSIBLE_COLLECTIONS_PATH", case.path("others"))
        .args([
            "-o",
            "a.img",
            "-o",
            "a.tar.gz",
            "--with",
            "manifest,sha256sums",
        ])
        .args([
            "-e",
            "shown=visible",
            "-e",
            "wifi_psk=unseen1",
            "--secret",
            "hidden=env:HIDDEN",
        ])
        .env("HIDDEN", "deep-secret");
    case.works(&mut command);
    let path = case.path("a.manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("deep-secret") && !text.contains("unseen1"),
        "{text}"
    );
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let manifest = json(&path);
    assert_eq!(
        manifest["source"]["sha256"].as_str().unwrap(),
        sha256(&case.path("x.img"))
    );
    assert_eq!(manifest["system"]["name"], "Tiny Linux");
    assert_eq!(manifest["packages"][0]["version"], "1:1.35");
    assert_eq!(manifest["layout"][1]["file_system"], "ext4");
    assert_eq!(manifest["layout"][1]["mounted"], "/");
    assert_eq!(manifest["ansible"]["variables"]["shown"], "visible");
    assert_eq!(manifest["ansible"]["variables"]["wifi_psk"], "(not shown)");
    assert_eq!(manifest["ansible"]["secrets"][0], "hidden");
    assert!(
        manifest["ansible"]["core"]
            .as_str()
            .unwrap()
            .starts_with("2.")
    );
    assert!(manifest["ansible"]["commit"].is_null());
    let collections = &manifest["ansible"]["collections"];
    assert_eq!(
        (&collections["a.b"], &collections["a.c"]),
        (&"1.2.3".into(), &"0.1.0".into()),
        "{text}"
    );
    let outputs = manifest["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 2, "{text}");
    for output in outputs {
        let made = case.path(output["name"].as_str().unwrap());
        assert_eq!(output["sha256"].as_str().unwrap(), sha256(&made));
        assert_eq!(output["size"], made.metadata().unwrap().len());
    }
    let tasks = manifest["tasks"].as_array().unwrap();
    assert_eq!(tasks[0]["name"], "one", "{text}");
    assert!(tasks[0]["seconds"].as_f64().unwrap() >= 1.0, "{text}");
    let phases = manifest["phases"].as_array().unwrap();
    let names: Vec<_> = phases
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "source",
            "open",
            "playbook",
            "close",
            "outputs",
            "documents"
        ]
    );
}

#[test]
fn what_is_there_is_not_replaced() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file("a.manifest.json", "mine");
    let mut manifest = case.ansible(&SOURCE);
    manifest.args(["-o", "a.img", "--with", "manifest"]);
    case.refused(&mut manifest, 2, &["a.manifest.json exists"], "--force");
    let mut tree = case.ansible(&SOURCE);
    tree.args(["-o", "a/", "--with", "bmap"]);
    case.refused(&mut tree, 2, &["a block map is of an image"], ".img.xz");
    let mut bad = case.ansible(&SOURCE);
    bad.env("SOURCE_DATE_EPOCH", "yesterday");
    case.refused(&mut bad, 2, &["SOURCE_DATE_EPOCH is yesterday"], "date +%s");
}

/// Times of files are no later than what is asked for, and the same files make the same archive.
#[test]
fn archives_of_one_input_are_the_same() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    for name in ["one.tar.zst", "two.tar.zst"] {
        let mut command = case.ansible(&SOURCE);
        command.args(["-o", name, "-e", "hn_hostname=pi"]);
        case.works(command.env("SOURCE_DATE_EPOCH", "1000000000"));
    }
    assert_eq!(
        sha256(&case.path("one.tar.zst")),
        sha256(&case.path("two.tar.zst"))
    );
    let mut byte = [0];
    fs::File::open(case.path("one.tar.zst"))
        .unwrap()
        .read_exact_at(&mut byte, 0)
        .unwrap();
    let listed = run(Command::new("tar")
        .args(["--zstd", "-tvf", "one.tar.zst", "--utc", "--full-time"])
        .current_dir(case.folder()));
    let done = listed
        .lines()
        .find(|line| line.ends_with("./done"))
        .unwrap();
    assert!(done.contains("2001-09-09 01:46:40"), "{listed}");
}
