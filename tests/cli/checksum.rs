//! Checksums: wrong ones, and text that is none.

use std::fs;

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

/// Who says that nothing is to be checked is not warned; who says nothing is.
#[test]
fn none_is_meant() {
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    let warned = |arguments: &[&str]| {
        let ended = case.run(&mut case.exec(arguments));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended.stderr.contains("without checking it")
    };
    assert!(warned(&["x.img"]));
    assert!(!warned(&["--checksum", "none", "x.img"]));
    assert!(warned(&["-v", "--checksum", "none", "x.img"]));
}
