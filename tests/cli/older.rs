//! What older versions left on the host.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{case::Case, images};

/// A run that was killed has left its directory, and in there what its dying process made.
#[test]
fn a_directory_of_a_killed_run_is_swept() {
    let left = Path::new("/run/pichroot-XDqlWx");
    let case = Case::new();
    images::tiny(&case.path("x.img"));
    fs::create_dir_all(left.join("twins/bin")).unwrap();
    fs::set_permissions(left, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(left.join("twins/bin/0123-ls"), "no program").unwrap();
    // The host is as it was before that was made.
    case.works(&mut case.exec(&["--checksum", "none", "x.img"]));
    assert!(!left.exists());
}
