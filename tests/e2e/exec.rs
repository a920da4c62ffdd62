//! `pichroot exec`.

use crate::support::{Host, pichroot, raw_copy, text};

#[test]
fn a_commands_output_and_exit_code_come_through_and_its_changes_are_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let before = (
        Host::now(),
        std::fs::metadata(&image).unwrap().modified().unwrap(),
    );
    let script = "uname -m; touch /etc/touched; exit 7";
    let output = pichroot(dir.path())
        .args([
            "exec",
            "x.img",
            "--checksum",
            "none",
            "--",
            "sh",
            "-c",
            script,
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{:?}", text(&output));
    assert_eq!(text(&output).0, "aarch64\n");
    before.0.assert_unchanged();
    assert_eq!(
        std::fs::metadata(&image).unwrap().modified().unwrap(),
        before.1
    );
}
