//! What `cargo install` gets.

use std::process::Command;

use crate::support::{checkout, run};

/// The program includes these files, so it cannot be built without them.
#[test]
fn all_of_the_bundle_is_in_the_package() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(checkout())
        .args(["package", "--list", "--allow-dirty", "--offline"]);
    let listed = run(&mut cargo);
    let table = include_str!(concat!(env!("OUT_DIR"), "/bundle.rs"));
    let paths: Vec<_> = table
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        assert!(
            listed.lines().any(|line| line == path),
            "{path} is not in: {listed}"
        );
    }
}
