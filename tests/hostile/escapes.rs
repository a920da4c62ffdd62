//! What root in the chroot tries to get out.

use std::{
    ffi::CString,
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixListener},
    },
    path::Path,
    process::{Child, Command},
};

use nix::libc;

use crate::{
    image::{BASE_ROOT, Kept, compile, debugfs, exec, within_limit},
    support::{Host, native_image, pichroot, raw_copy, raw_image, run, text},
};

/// A process of the host, ended with the test.
struct Outsider(Child);

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A key in the keyring of the host's root, gone with the test.
struct Key {
    keyring: i64,
    key: i64,
}

const USER_KEYRING: i64 = -4;

#[allow(unsafe_code)]
fn keyctl(command: i64, first: i64, second: i64) -> i64 {
    // SAFETY: the two commands used here take numbers.
    unsafe { libc::syscall(libc::SYS_keyctl, command, first, second) }
}

impl Key {
    fn add(name: &str) -> Self {
        let (kind, name) = (CString::new("user").unwrap(), CString::new(name).unwrap());
        let content = b"of the host";
        #[allow(unsafe_code)]
        // SAFETY: the strings and the content live across the call.
        let key = unsafe {
            let (kind, name) = (kind.as_ptr(), name.as_ptr());
            libc::syscall(
                libc::SYS_add_key,
                kind,
                name,
                content.as_ptr(),
                content.len(),
                USER_KEYRING,
            )
        };
        // 0: the serial number of a keyring, which is made if need be.
        Key {
            keyring: keyctl(0, USER_KEYRING, 1),
            key,
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        keyctl(9, self.key, USER_KEYRING);
    }
}

/// A program that waits for an answer, as long as others take all the places.
const WAITING: &str = r#"
import os, socket, subprocess, time
held = [socket.socket(socket.AF_UNIX) for _ in range(128)]
for one in held:
    one.connect("/run/pichroot/living.sock")
asks = subprocess.Popen(["/sbin/reboot"])
time.sleep(0.5)
print("waits" if asks.poll() is None else "answered", flush=True)
time.sleep(60)
"#;

/// Runs `escapes.c` in a copy of `image`; panics if anything gets through.
fn attempts(image: &Path, network: &str) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("x.img");
    run(Command::new("cp")
        .arg("--sparse=always")
        .args([image, &copy]));
    let image = copy;
    debugfs(
        &image,
        BASE_ROOT,
        &["mknod hostile-char c 1 3", "mknod hostile-block b 7 0"],
    );
    let program = compile("escapes");
    let (host, kept) = (Host::now(), Kept::of_host());
    let outsider = Outsider(Command::new("sleep").arg("300").spawn().unwrap());
    // Keys and these names are everybody's.
    let name = format!("pichroot-test-{}", dir.path().display()).replace('/', "-");
    let key = Key::add(&name);
    let _stream = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let datagram = SocketAddr::from_abstract_name(format!("{name}-datagram")).unwrap();
    let _datagram = UnixDatagram::bind_addr(&datagram).unwrap();
    let script = format!(
        "cat >/tmp/escapes; chmod 755 /tmp/escapes
         python3 -c '{WAITING}' >/tmp/waits & while [ ! -s /tmp/waits ]; do sleep 0.1; done
         cat /tmp/waits; /tmp/escapes {} {name} {}",
        outsider.0.id(),
        key.keyring
    );
    let mut command = pichroot(dir.path());
    command
        .args(["exec", "--network", network, "--write"])
        .arg(&image);
    command
        .args(["--", "sh", "-c", &script])
        .stdin(fs::File::open(program).unwrap());
    let output = within_limit(&mut command);
    let (out, err) = text(&output);
    assert!(out.starts_with("waits\n"), "{out}{err}");
    assert!(out.ends_with("done\n"), "{out}{err}");
    // Of a network namespace of its own it may do what it likes with.
    let own = |line: &str| network == "none" && line.ends_with(" socket: succeeded");
    // The image's own disk and its two partitions were there to be tried.
    assert!(out.contains("note: 3 disks\n"), "{out}");
    // /proc/sys, swaps, filesystems, /sys/module, what is lacking, and on some hosts /proc/modules.
    let taken = ["note: 5 stand-ins", "note: 6 stand-ins"];
    assert!(taken.iter().any(|note| out.contains(note)), "{out}");
    let escaped = out.lines().filter(|l| l.starts_with("ESCAPED") && !own(l));
    let escaped = escaped.collect::<Vec<_>>();
    assert!(escaped.is_empty(), "{escaped:#?}");
    assert!(
        out.lines().filter(|l| l.starts_with("refused")).count() > 200,
        "{out}"
    );
    #[allow(unsafe_code)]
    // SAFETY: takes numbers.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, outsider.0.id()) };
    assert_eq!(nice, 0);
    drop(outsider);
    host.assert_unchanged();
    kept.assert_same(Kept::of_host());
}

#[test]
fn every_system_call_that_would_lead_out_is_refused() {
    attempts(&raw_image(), "host");
}

/// Where programs are started through the asker, and some by themselves.
#[test]
fn an_image_that_runs_natively_gets_no_further() {
    if let Some(image) = native_image() {
        attempts(&image, "host");
    }
}

#[test]
fn without_network_the_same_and_there_is_only_the_loopback_interface() {
    attempts(&raw_image(), "none");
    let dir = tempfile::tempdir().unwrap();
    raw_copy(dir.path(), "x.img");
    let script = "import socket
print([name for _, name in socket.if_nameindex()])
s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())
try: socket.create_connection(('192.0.2.1', 80), 3)
except OSError as e: print(e.strerror)";
    let mut none = pichroot(dir.path());
    none.args([
        "exec",
        "--network",
        "none",
        "--write",
        "x.img",
        "--",
        "python3",
        "-c",
        script,
    ]);
    let (out, err) = text(&within_limit(&mut none));
    assert!(
        out.starts_with("['lo']\nNetwork is unreachable\n"),
        "{out}{err}"
    );
}

#[test]
fn emulated_programs_reach_only_copies_of_the_emulator_and_of_us() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let kept = Kept::of_host();
    // The emulator's own /proc/self/exe is the emulated program: so of another process, a child.
    let attack = r#"
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"]); time.sleep(0.5)
out = []
for pid in [1, os.getppid(), child.pid]:
    exe = f"/proc/{pid}/exe"
    for flags in os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC:
        try: os.open(exe, flags); out.append(f"{exe} opens for writing")
        except OSError: pass
    for change in lambda: os.chmod(exe, 0o6777), lambda: os.chown(exe, 1000, 1000), \
                  lambda: os.utime(exe, (1, 1)), lambda: os.truncate(exe, 0), \
                  lambda: os.setxattr(exe, "user.x", b"x"), lambda: os.link(exe, "/root/l", follow_symlinks=True):
        try: change()
        except OSError: pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in "root", "cwd":
        try:
            inside = os.stat(f"/proc/{pid}/{name}/")
            if (inside.st_dev, inside.st_ino) != (os.stat("/").st_dev, os.stat("/").st_ino):
                out.append(f"/proc/{pid}/{name} is elsewhere: {os.readlink(f'/proc/{pid}/{name}')}")
        except OSError: pass
    try: fds = os.listdir(f"/proc/{pid}/fd")
    except OSError: continue
    for fd in fds:
        try: target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError: continue
        if not target.startswith(("pipe:", "/", "anon_inode:")) or "pichroot" in target or "/run/" in target:
            out.append(f"/proc/{pid}/fd/{fd}: {target}")
for node in os.listdir("/dev"):
    try: os.chmod("/dev/" + node, 0o600); os.chown("/dev/" + node, 1000, 1000)
    except OSError: pass
child.kill()
print(*out, "done", sep="\n")
"#;
    let (out, err) = text(&within_limit(&mut exec(&image, &["python3", "-c", attack])));
    assert_eq!(out, "done\n", "{err}");
    kept.assert_same(Kept::of_host());
}

#[test]
fn a_fork_bomb_meets_the_limit_and_ends_with_its_command() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let host = Host::now();
    // A binary bomb of the emulated shell; the command itself waits a while and then ends.
    let bomb = "b() { b | b & }; b 2>/dev/null; sleep 5; echo still here; exit 3";
    let output = within_limit(&mut exec(&image, &["bash", "-c", bomb]));
    let (_, err) = text(&output);
    assert_ne!(output.status.code(), Some(0), "{err}");
    host.assert_unchanged();
    // And the image is none the worse for it.
    assert!(within_limit(&mut exec(&image, &["true"])).status.success());
}
