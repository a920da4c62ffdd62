//! scripts/imports.py on small crates made for it: what it finds, and what it leaves alone.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// What the script says of a crate of these files, and whether it is content.
fn check(files: &[(&str, &str)]) -> (bool, String) {
    let src = tempfile::tempdir().unwrap();
    // Each is a crate of its own.
    let programs = ["twins/dispatcher/program/main.rs", "bare/program/main.rs"];
    for (name, text) in files.iter().chain(&programs.map(|path| (path, ""))) {
        let path = src.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/imports.py");
    let mut command = Command::new(&script);
    command.args(["--check", "--src"]).arg(src.path());
    let Output { status, stdout, .. } = command.output().expect("python3 on PATH");
    let said = String::from_utf8(stdout).unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}: {said}");
    (status.success(), said)
}

const LIB: &str = "pub mod cli;\npub mod error;\npub mod stage;\npub mod sys;\n";
const ERROR: &str = "pub struct Error;\n";

#[test]
fn imports_that_point_down_are_fine() {
    let files = [
        ("lib.rs", LIB),
        ("error.rs", ERROR),
        ("sys/mod.rs", "pub mod mount;\n"),
        (
            "sys/mount.rs",
            "use crate::error::Error;\npub fn mount() -> Error { Error }\n",
        ),
        (
            "stage/mod.rs",
            "use crate::{error::Error, sys::mount};\nfn x() -> Error { mount::mount() }\n",
        ),
        (
            "cli/mod.rs",
            "fn x() { let _: crate::error::Error = crate::sys::mount::mount(); }\n",
        ),
    ];
    assert_eq!(check(&files), (true, String::new()));
}

#[test]
fn an_upward_import_is_found_in_use_and_in_code() {
    let stage = ("stage/mod.rs", "pub struct Stage;\npub fn start() {}\n");
    for code in [
        "use crate::stage::Stage;\n",
        "use crate::{\n    error::Error,\n    stage::{Stage as Other, start},\n};\n",
        "fn x() {\n    crate::stage::start();\n}\n",
        "fn x() -> Vec<super::stage::Stage> {\n    Vec::new()\n}\n",
        "const QUOTE: char = '\"';\nfn x() { crate::stage::start() }\nconst OTHER: char = '\"';\n",
        "// Half a \" text.\nfn x() { crate::stage::start() }\n// Another \" half.\n",
    ] {
        let files = [
            ("lib.rs", LIB),
            ("error.rs", ERROR),
            ("cli/mod.rs", ""),
            stage,
            ("sys/mod.rs", code),
        ];
        let fault = "src/sys/mod.rs imports src/stage/mod.rs, which is not below it\n";
        assert_eq!(check(&files), (false, fault.to_owned()), "{code}");
    }
}

/// What a folder's mod.rs passes on is looked for where it is defined.
#[test]
fn an_upward_import_is_found_through_what_another_file_passes_on() {
    let files = [
        ("lib.rs", "pub mod chroot;\npub mod cli;\n"),
        ("cli/mod.rs", "mod deep;\npub use deep::Deep;\n"),
        ("cli/deep.rs", "pub struct Deep;\n"),
        ("chroot/mod.rs", "use crate::cli::Deep;\n"),
    ];
    let fault = "src/chroot/mod.rs imports src/cli/deep.rs, which is not below it\n";
    assert_eq!(check(&files), (false, fault.to_owned()));
}

#[test]
fn a_circle_between_files_is_found_and_neighbours_leave_each_other_alone() {
    let lib = ("lib.rs", "pub mod image;\npub mod fat;\n");
    let circle = [
        lib,
        ("fat/mod.rs", ""),
        ("image/mod.rs", "mod a;\nmod b;\nmod c;\n"),
        ("image/a.rs", "use super::b::B;\npub struct A;\n"),
        ("image/b.rs", "pub struct B;\nfn x() { super::c::x() }\n"),
        ("image/c.rs", "use crate::image::a::A;\npub fn x() {}\n"),
    ];
    let fault = "a circle: image/a.rs image/b.rs image/c.rs\n";
    assert_eq!(check(&circle), (false, fault.to_owned()));
    let neighbours = [
        lib,
        ("fat/mod.rs", "use crate::image::Image;\n"),
        ("image/mod.rs", "pub struct Image;\n"),
    ];
    let fault = "src/fat/mod.rs imports src/image/mod.rs, which is not below it\n";
    assert_eq!(check(&neighbours), (false, fault.to_owned()));
}

#[test]
fn tests_comments_and_texts_do_not_count() {
    let sys = r##"//! As crate::cli::run has it.
/* use crate::cli::run; */
const TEXT: &str = "crate::cli::run"; // crate::cli::run
const RAW: &str = r#"use "crate::cli::run"; "#;

#[cfg(test)]
#[path = "elsewhere.rs"]
mod helper;

#[cfg(test)]
mod tests {
    use crate::cli::run;
}
"##;
    let files = [
        ("lib.rs", LIB),
        ("error.rs", ERROR),
        ("cli/mod.rs", "pub fn run() {}\n"),
        ("stage/mod.rs", "#[cfg(test)]\nmod tests;\n"),
        ("stage/tests.rs", "use crate::cli::run;\n"),
        ("sys/mod.rs", sys),
    ];
    assert_eq!(check(&files), (true, String::new()));
}

#[test]
fn a_folder_without_a_place_is_named() {
    let files = [("lib.rs", "pub mod other;\n"), ("other/mod.rs", "")];
    let fault = "src/other has no place in LAYERS\n";
    assert_eq!(check(&files), (false, fault.to_owned()));
}
