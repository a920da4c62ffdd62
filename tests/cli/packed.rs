//! Sources that cannot be unpacked.

use std::fs;

use crate::{
    case::Case,
    images::{self, pack},
};

#[test]
fn damaged_and_unknown_sources() {
    let case = Case::new();
    images::tiny(&case.path("raw"));
    let raw = fs::read(case.path("raw")).unwrap();
    let xz = pack::xz(&raw);
    let mut corrupt = xz.clone();
    corrupt[xz.len() / 2] ^= 0x40;
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let garbage = |bytes: &[u8]| [bytes, b"<html>trailing</html>"].concat();
    let again = "get the image again";
    for (name, content, error, hint) in [
        ("cut.img.xz", half(&xz), "is truncated", again),
        ("bad.img.xz", corrupt, "is not a usable xz file", again),
        (
            "more.img.xz",
            garbage(&xz),
            "is not a usable xz file",
            again,
        ),
        ("cut.img.gz", half(&pack::gzip(&raw)), "is truncated", again),
        (
            "more.img.gz",
            garbage(&pack::gzip(&raw)),
            "is not a usable gzip file",
            again,
        ),
        (
            "cut.img.zst",
            half(&pack::zstd(&raw)),
            "is truncated",
            again,
        ),
        (
            "cut.zip",
            half(&pack::zip(&[("x.img", &raw)])),
            "cut.zip",
            again,
        ),
        (
            "two.zip",
            pack::zip(&[("a.img", &raw), ("b.img", &raw)]),
            "a.img",
            "unpack",
        ),
        (
            "none.zip",
            pack::zip(&[("README", b"read me")]),
            "none.zip",
            "",
        ),
        ("empty.img.xz", pack::xz(b""), "holds an empty image", again),
        (
            "twice.img.xz",
            pack::xz(&pack::gzip(&raw)),
            "holds a gzip file",
            "unpack it once",
        ),
        ("x.img.bz2", b"BZh91AY&SY".to_vec(), "bzip2", "bunzip2"),
        (
            "x.qcow2",
            b"QFI\xFB\0\0\0\x03".to_vec(),
            "qemu-img",
            "qemu-img check",
        ),
        (
            "parts.vmdk",
            b"# Disk DescriptorFile\nversion=1\n".to_vec(),
            "in several files",
            "qemu-img convert",
        ),
        (
            "garbage.img",
            b"garbage ".repeat(1000),
            "has no partition table",
            "SD cards",
        ),
        ("empty.img", Vec::new(), "is empty", again),
    ] {
        case.file(name, content);
        let error = [name, error];
        case.refused(
            &mut case.exec(&["--checksum", "none", name]),
            4,
            &error,
            hint,
        );
        let arguments = ["--image", name, "--checksum", "none", "-o", "out.img"];
        case.refused(&mut case.ansible(&arguments), 4, &error, hint);
    }
    assert_eq!(case.cached(), 0);
}

#[test]
fn sources_that_are_no_file() {
    let case = Case::new();
    fs::create_dir(case.path("folder.img")).unwrap();
    crate::support::run(std::process::Command::new("mkfifo").arg(case.path("fifo.img")));
    for (name, error) in [
        ("missing.img", "cannot open the image"),
        ("folder.img", "is a folder, not an image file"),
        ("fifo.img", "is not an image file"),
        ("/dev/null", "is not an image file"),
        ("/dev/loop0", "is a disk device, not an image file"),
        ("ftp://example.org/x.img", "ftp:// is not supported"),
    ] {
        case.refused(
            &mut case.exec(&["--checksum", "none", name]),
            2,
            &[name, error],
            "",
        );
        let arguments = ["--image", name, "--checksum", "none", "-o", "out.img"];
        case.refused(&mut case.ansible(&arguments), 2, &[error], "");
    }
}

#[test]
fn zeros_behind_gzip_are_no_damage() {
    let case = Case::new();
    images::tiny(&case.path("raw"));
    let mut packed = pack::gzip(&fs::read(case.path("raw")).unwrap());
    packed.resize(packed.len() + 70_000, 0);
    case.file("x.img.gz", packed);
    case.works(&mut case.exec(&["--checksum", "none", "x.img.gz"]));
}

/// Windows and 7-Zip pack large files by Deflate64.
#[test]
fn a_zip_that_is_packed_in_another_way() {
    let case = Case::new();
    let zip = pack::zip(&[("x.img", &[7; 100_000])]);
    let central = zip.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    for (flags, method, error) in [
        (0, 9_u16, "by Deflate64"),
        (0, 12, "by bzip2"),
        (0, 14, "by LZMA"),
        (1, 8, "with a password"),
    ] {
        let mut zip = zip.clone();
        for at in [6, central + 8] {
            zip[at] |= flags;
            zip[at + 2..at + 4].copy_from_slice(&method.to_le_bytes());
        }
        case.file("x.zip", zip);
        let error = ["x.zip", "x.img", error];
        let mut run = case.exec(&["--checksum", "none", "x.zip"]);
        case.refused(&mut run, 4, &error, "unpack it first, with `7z x`");
    }
    assert_eq!(case.cached(), 0);
}
