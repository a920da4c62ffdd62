//! Crashes in the image: the kernel starts the host's handler of core dumps as root, on the host.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use crate::{
    image::{compile, exec, within_limit},
    support::{raw_copy, text},
};

const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Puts the host's own pattern back, whatever happens.
struct Pattern(String);

impl Drop for Pattern {
    fn drop(&mut self) {
        let _ = fs::write(PATTERN, &self.0);
    }
}

#[test]
fn a_crash_in_the_image_does_not_start_the_hosts_handler() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let (handler, mark) = (dir.path().join("handler"), dir.path().join("ran"));
    fs::write(
        &handler,
        format!("#!/bin/sh\necho \"$@\" >>{}\n", mark.display()),
    )
    .unwrap();
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).unwrap();
    let before = Pattern(fs::read_to_string(PATTERN).unwrap());
    fs::write(PATTERN, format!("|{} %e %u", handler.display())).unwrap();
    // Does it work? In a container it does not: the kernel looks for it outside.
    let own = Command::new(compile("crash")).arg("0").status().unwrap();
    assert!(!own.success());
    std::thread::sleep(Duration::from_secs(1));
    if !mark.exists() {
        drop(before);
        let why = "skipped: the kernel does not start the handler from here";
        let _ = writeln!(std::io::stderr(), "{why}");
        return;
    }
    // Emulated and native, as it is and with the limit that lets the handler run.
    let crash = "cat >/tmp/crash; chmod 755 /tmp/crash
        python3 -c 'import os; os.abort()'
        python3 -c 'import os, resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.abort()'
        sudo -u ubuntu sh -c 'ulimit -c 0; kill -SEGV $$'
        /tmp/crash; /tmp/crash 0; true";
    let mut command = exec(&image, &["bash", "-c", crash]);
    command.stdin(fs::File::open(compile("crash")).unwrap());
    let output = within_limit(&mut command);
    std::thread::sleep(Duration::from_secs(1));
    drop(before);
    assert_eq!(
        fs::read_to_string(&mark).unwrap(),
        "crash 0\n",
        "only the host's own crash"
    );
    assert!(output.status.success(), "{:?}", text(&output));
}
