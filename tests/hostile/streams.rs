//! What a command gets of its caller: copies of its streams, and nothing else.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    process::Stdio,
    time::Duration,
};

use crate::{
    image::{exec, within_limit},
    support::{raw_copy, text},
};

#[test]
fn a_script_that_a_shell_reads_from_its_input_gets_no_line_of_the_images() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    // The other direction of what it was given.
    let attack = "echo injected 1<>/proc/self/fd/0; timeout 2 cat /proc/self/fd/1 >/dev/null; true";
    let (mut seen, input) = std::io::pipe().unwrap();
    let (mut shown, mut output) = std::io::pipe().unwrap();
    output.write_all(b"others' output;").unwrap();
    // Held open on our side, as by a shell; no end of input until then.
    let mut command = exec(&image, &["bash", "-c", attack]);
    command.stdin(Stdio::from(seen.try_clone().unwrap()));
    command.stdout(Stdio::from(output)).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    drop((input, command));
    let mut read = String::new();
    seen.read_to_string(&mut read).unwrap();
    assert_eq!(read, "", "the image wrote to its caller's standard input");
    let mut out = String::new();
    shown.read_to_string(&mut out).unwrap();
    assert_eq!(out, "others' output;", "the image read its caller's output");
}

#[test]
fn files_of_the_host_as_streams_are_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    fs::write(&input, "in").unwrap();
    fs::write(&output, "").unwrap();
    for path in [&input, &output] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let attack = "import os, stat, sys
for fd in 0, 1, 2:
    assert stat.S_ISFIFO(os.fstat(fd).st_mode), fd
    os.fchmod(fd, 0o777); os.fchown(fd, 1, 1)
sys.stdout.write(sys.stdin.read() + 'put')";
    let mut command = exec(&image, &["python3", "-c", attack]);
    command.stdin(File::open(&input).unwrap());
    command
        .stdout(File::create(&output).unwrap())
        .stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    assert_eq!(fs::read_to_string(&output).unwrap(), "input");
    for path in [&input, &output] {
        let meta = fs::metadata(path).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o640);
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&meta), 0);
    }
}

#[test]
fn no_descriptor_and_no_variable_of_the_caller_gets_in() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    // As root, with what /proc tells of every process in sight.
    let look = "ls -l /proc/self/fd; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; \
                ls -l /proc/[0-9]*/fd/ /proc/[0-9]*/cwd /proc/[0-9]*/root; true";
    let mut command = std::process::Command::new("bash");
    let script = "exec 9</etc/shadow 8</ 7>/dev/null; exec \"$@\"";
    let inner = exec(&image, &["sh", "-c", look]);
    command
        .args(["-c", script, "bash"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.env("HN_SECRET", "b4d1dea").stdin(Stdio::null());
    let output = within_limit(&mut command);
    let (out, err) = text(&output);
    assert!(
        out.contains("/proc/self/fd") || out.contains("pipe:"),
        "{out}{err}"
    );
    assert!(
        !out.contains("b4d1dea") && !out.contains("HN_SECRET"),
        "{out}"
    );
    assert!(!out.contains("shadow") && !out.contains("CARGO"), "{out}");
    for line in out.lines().filter(|line| line.contains(" -> ")) {
        let target = line.split(" -> ").nth(1).unwrap();
        let known = ["pipe:", "/proc/", "/", "/dev/null", "/usr/", "/bin/"];
        assert!(
            known
                .iter()
                .any(|k| target == *k || k.len() > 1 && target.starts_with(k)),
            "{line}"
        );
    }
}

#[test]
fn a_slow_reader_gets_all_of_the_output() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let mut child = exec(&image, &["head", "-c", "500000", "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let mut all = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 500_000);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_terminal_of_a_command_is_not_its_callers() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let pty = nix::pty::openpty(None, None).unwrap();
    let end = || Stdio::from(pty.slave.as_fd().try_clone_to_owned().unwrap());
    // Types ahead for whoever reads the terminal next, and looks at what the terminal is.
    let attack = "import fcntl, os, termios
for fd in 0, os.open('/dev/tty', os.O_RDWR):
    for byte in b'id\\n':
        try: fcntl.ioctl(fd, termios.TIOCSTI, bytes([byte]))
        except OSError: pass
print(os.path.samefile('/proc/self/fd/0', os.ttyname(0)), os.ttyname(0)); os.fchmod(0, 0o666)";
    let mut command = exec(&image, &["python3", "-c", attack]);
    command.stdin(end()).stdout(end()).stderr(end());
    let mode = nix::sys::stat::fstat(&pty.slave).unwrap().st_mode;
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let mut said = vec![0; 4096];
    let count = File::from(pty.master.try_clone().unwrap())
        .read(&mut said)
        .unwrap();
    let said = String::from_utf8_lossy(&said[..count]);
    assert!(said.contains("True /dev/pts/0"), "{said}");
    assert_eq!(nix::sys::stat::fstat(&pty.slave).unwrap().st_mode, mode);
    let nothing = nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(&pty.slave, nix::fcntl::FcntlArg::F_SETFL(nothing)).unwrap();
    let next = File::from(pty.slave).read(&mut [0; 64]);
    assert_eq!(next.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
