//! Tests that this machine has no way to make, and is not expected to.
//!
//! Cargo's tests either pass or fail, so what is skipped is noted in a file, which scripts/test.sh prints at the end.
//! A program that is missing is no reason: the test fails, and says which package has it.

use std::{
    fs::OpenOptions,
    io::{Write, stderr},
    panic::Location,
};

/// Names the file with one line for each test that was skipped.
const LIST: &str = "PICHROOT_SKIPPED_TESTS";

/// Notes that the caller, a test that returns next, is skipped, and why.
#[track_caller]
pub fn skip(why: &str) {
    let place = Location::caller();
    let line = format!("{}:{}: {why}\n", place.file(), place.line());
    stderr()
        .write_all(format!("skipped: {line}").as_bytes())
        .expect("standard error");
    if let Some(list) = std::env::var_os(LIST) {
        let file = OpenOptions::new().create(true).append(true).open(&list);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("{LIST} {}: {error}", list.display()));
    }
}
