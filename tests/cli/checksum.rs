//! Checksums: wrong ones, and text that is none.

use std::fs;

use sha2::{Digest, Sha256};

use crate::{
    case::Case,
    images::{self, pack},
};

#[test]
fn a_wrong_checksum_is_the_images_fault() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    case.file("x.img.xz", pack::xz(&fs::read(case.path("x.img")).unwrap()));
    for image in ["x.img", "x.img.xz"] {
        for (algorithm, digits) in [("sha256", 64), ("sha512", 128), ("sha1", 40), ("md5", 32)] {
            let sum = format!("{algorithm}:{}", "0".repeat(digits));
            let error = [image, "wrong checksum", &sum];
            let hint = "get the image again";
            case.refused(
                &mut case.exec(&["--checksum", &sum, image]),
                4,
                &error,
                hint,
            );
            let arguments = ["--image", image, "--checksum", &sum, "-o", "out.img"];
            case.refused(&mut case.ansible(&arguments), 4, &error, hint);
        }
    }
    assert_eq!(case.cached(), 0);
}

#[test]
fn checksum_files_that_do_not_help() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let sum = "0".repeat(64);
    let other = "1".repeat(64);
    for (name, text, code, error, hint) in [
        (
            "OTHER",
            format!("{sum}  y.img\n"),
            4,
            "has no line for x.img",
            "belongs to this image",
        ),
        (
            "EMPTY",
            String::new(),
            4,
            "holds no checksum line",
            "belongs to this image",
        ),
        (
            "HTML",
            "<html>404</html>\n".into(),
            4,
            "holds no checksum line",
            "sha256:HEX",
        ),
        (
            "TWO",
            format!("{sum}  x.img\n{other}  x.img\n"),
            4,
            "two different checksums",
            "sha256:HEX",
        ),
        (
            "WRONG",
            format!("{sum} *x.img\n{other} *y.img\n"),
            4,
            "wrong checksum",
            "get the image again",
        ),
    ] {
        case.file(name, text);
        let mut run = case.exec(&["--checksum", &format!("file:{name}"), "x.img"]);
        case.refused(&mut run, code, &[error], hint);
    }
    let mut missing = case.exec(&["--checksum", "file:NONE", "x.img"]);
    case.refused(&mut missing, 2, &["NONE"], "file:");
}

#[test]
fn text_that_is_no_checksum() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let bare = "ab".repeat(32);
    for (sum, error, hint) in [
        ("sha256", "\"sha256\" is not a checksum", "sha256:HEX"),
        ("sha256:12", "64 hexadecimal digits", "sha256:HEX"),
        ("crc32:12345678", "crc32", "sha256:HEX"),
        (&bare, "names no algorithm", &format!("write sha256:{bare}")),
        ("file:", "checksum file", "file:PATH"),
    ] {
        case.refused(
            &mut case.exec(&["--checksum", sum, "x.img"]),
            2,
            &[error],
            hint,
        );
        let arguments = ["--image", "x.img", "-o", "out.img", "--checksum", sum];
        case.refused(&mut case.ansible(&arguments), 2, &[error], hint);
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn checksum_files_as_other_programs_write_them() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let sum = sha256(&fs::read(case.path("x.img")).unwrap());
    let line = format!("{sum}  x.img");
    let marked = format!("\u{feff}{line}\r\n");
    for (name, text) in [
        ("openssl", format!("SHA256(x.img)= {sum}\n").into_bytes()),
        ("openssl3", format!("SHA2-256(x.img)= {sum}\n").into_bytes()),
        ("bsd", format!("SHA256 (x.img) = {sum}\n").into_bytes()),
        ("marked", format!("\u{feff}{line}\n").into_bytes()),
        (
            "utf16",
            marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        ("crlf", format!("{line}\r\n{sum}  y.img\r\n").into_bytes()),
        ("dot", format!("{sum}  ./x.img\n").into_bytes()),
    ] {
        case.file(name, text);
        case.works(&mut case.exec(&["--checksum", &format!("file:{name}"), "x.img"]));
    }
    // A link has its target's line.
    std::os::unix::fs::symlink("x.img", case.path("latest")).unwrap();
    case.works(&mut case.exec(&["--checksum", "file:dot", "latest"]));
}

#[test]
fn a_checksum_of_the_unpacked_image() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let raw = fs::read(case.path("x.img")).unwrap();
    let sum = sha256(&raw);
    fs::remove_file(case.path("x.img")).unwrap();
    case.file("x.img.xz", pack::xz(&raw));
    case.file("x.zip", pack::zip(&[("x.img", &raw)]));
    case.file("SUMS", format!("{sum}  x.img\n"));
    for image in ["x.img.xz", "x.zip"] {
        // The second time, the image in the cache is asked.
        for sum in [&format!("sha256:{sum}"), "file:SUMS"] {
            let ended = case.run(&mut case.exec(&["--checksum", sum, image]));
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            let said = "but of the image in it";
            assert!(ended.stderr.contains(said), "{ended:#?}");
        }
        let wrong = format!("sha256:{}", "0".repeat(64));
        let error = [image, "wrong checksum"];
        let mut run = case.exec(&["--checksum", &wrong, image]);
        case.refused(&mut run, 4, &error, "get the image again");
    }
}
