use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
};

use super::*;
use crate::event::Silent;

fn base(dir: &Path) -> BaseImage {
    let path = dir.join("base.img");
    fs::write(&path, b"base").unwrap();
    BaseImage::new(File::open(&path).unwrap(), path).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_output_appears_when_it_is_published_and_belongs_to_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    let output = dir.path().join("out.img");
    let work = WorkImage::create(&base, &output, false, None, &Silent).unwrap();
    work.file().write_all_at(b"work", 0).unwrap();
    assert!(!output.exists());
    work.into_output().publish().unwrap();
    assert_eq!(fs::read(&output).unwrap(), b"work");
    assert_eq!(
        fs::metadata(&output).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::read(base.path()).unwrap(), b"base");
    assert_eq!(names(dir.path()), ["base.img", "out.img"]);
}

#[test]
fn dropped_it_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    drop(WorkImage::create(&base, &dir.path().join("out.img"), false, None, &Silent).unwrap());
    assert_eq!(names(dir.path()), ["base.img"]);
}

#[test]
fn an_output_that_appeared_meanwhile_is_not_replaced_and_the_work_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    let output = dir.path().join("out.img");
    let work = WorkImage::create(&base, &output, false, None, &Silent).unwrap();
    fs::write(&output, "theirs").unwrap();
    let error = work.into_output().publish().unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.hint_text().unwrap().ends_with("out.img.new"));
    assert_eq!(fs::read(&output).unwrap(), b"theirs");
    assert_eq!(fs::read(dir.path().join("out.img.new")).unwrap(), b"base");

    let work = WorkImage::create(&base, &output, true, None, &Silent).unwrap();
    work.into_output().publish().unwrap();
    assert_eq!(fs::read(&output).unwrap(), b"base");
}

#[test]
fn a_failed_image_is_kept_in_place_of_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    let output = dir.path().join("out.img");
    for _ in 0..2 {
        let work = WorkImage::create(&base, &output, false, None, &Silent).unwrap();
        assert_eq!(work.keep().unwrap(), dir.path().join("out.img.failed"));
    }
    assert_eq!(names(dir.path()), ["base.img", "out.img.failed"]);
}

#[test]
fn leftovers_of_a_killed_run_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    fs::write(dir.path().join(".out.img.pichroot-1"), "").unwrap();
    fs::write(dir.path().join(".other.img.pichroot-1"), "").unwrap();
    let output = dir.path().join("out.img");
    WorkImage::create(&base, &output, false, None, &Silent)
        .unwrap()
        .into_output()
        .publish()
        .unwrap();
    assert_eq!(
        names(dir.path()),
        [".other.img.pichroot-1", "base.img", "out.img"]
    );
}
