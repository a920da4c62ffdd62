//! Crashes in the image: the kernel starts the host's handler of core dumps as root, on the host.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    image::{compile, exec, within_limit},
    support::{raw_copy, skip::skip, text},
};

const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Puts the host's own pattern back, whatever happens.
struct Pattern(String);

impl Drop for Pattern {
    fn drop(&mut self) {
        let _ = fs::write(PATTERN, &self.0);
    }
}

/// Crashes here, on the host; whether the handler has then written `lines` to `mark`.
fn crash_here(mark: &Path, lines: &str) -> bool {
    let own = Command::new(compile("crash")).arg("0").status().unwrap();
    assert!(!own.success());
    let end = Instant::now() + Duration::from_secs(20);
    let as_wanted = || fs::read_to_string(mark).is_ok_and(|told| told == lines);
    while !as_wanted() && Instant::now() < end {
        thread::sleep(Duration::from_millis(20));
    }
    as_wanted()
}

#[test]
fn a_crash_in_the_image_does_not_start_the_hosts_handler() {
    // The kernel looks for the handler in the first mount namespace, where /tmp is not ours.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let (handler, mark) = (dir.path().join("handler"), dir.path().join("ran"));
    fs::write(
        &handler,
        format!("#!/bin/sh\necho \"$@\" >>{}\n", mark.display()),
    )
    .unwrap();
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).unwrap();
    let _before = Pattern(fs::read_to_string(PATTERN).unwrap());
    let pattern = format!("|{} %e %u", handler.display());
    assert!(pattern.len() < 128, "the kernel would cut it: {pattern}");
    fs::write(PATTERN, pattern).unwrap();
    if !crash_here(&mark, "crash 0\n") {
        return skip("the kernel does not find a handler of core dumps here, as in a container");
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
    // What the image's crashes had started would have come before this one.
    let own_alone = crash_here(&mark, "crash 0\ncrash 0\n");
    let told = fs::read_to_string(&mark).unwrap();
    assert!(own_alone, "only the host's own crashes: {told}");
    assert!(output.status.success(), "{:?}", text(&output));
}
