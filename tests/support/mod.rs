//! What the tests share: the program, the real base image, and the state of the host.
//!
//! Included by each test crate with `#[path]`, so not every crate uses all of it.
#![allow(dead_code)]

pub mod server;
pub mod skip;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real base image, an .img.xz: made by the recipe in tests/fixtures, once.
pub fn base_image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        if let Some(given) = std::env::var_os("PICHROOT_TEST_IMAGE") {
            return given.into();
        }
        let made = Command::new(checkout().join("tests/fixtures/base-image.sh"))
            .stderr(Stdio::inherit())
            .output()
            .expect("the recipe can be run");
        assert!(made.status.success(), "the recipe of the base image failed");
        String::from_utf8(made.stdout)
            .expect("a path")
            .trim()
            .into()
    })
}

/// Names the cache that all tests share, where scripts/own-namespace.sh has put it.
const CACHE: &str = "PICHROOT_TEST_CACHE";

/// A cache that all tests share, so that the base image is unpacked once.
pub fn cache() -> PathBuf {
    let shared = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::env::var_os(CACHE).map_or_else(shared, PathBuf::from)
}

/// The program, with the shared cache and the checkout's own Ansible, run in `dir`.
pub fn pichroot(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pichroot"));
    let path = std::env::var("PATH").expect("a PATH");
    let venv = checkout().join(".venv/bin");
    command
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", venv.display()))
        .env("PICHROOT_CACHE_DIR", cache())
        .env("ANSIBLE_NOCOLOR", "1")
        .env_remove("VAULT_TOKEN")
        // No test asks a server of somebody else's.
        .env("PICHROOT_CATALOGUE", "none")
        .stdin(Stdio::null());
    command
}

/// The base image unpacked once, to be copied by tests that change it ([`raw_copy`]).
pub fn raw_image() -> PathBuf {
    let raw = Path::new(env!("CARGO_TARGET_TMPDIR")).join("base.img");
    let lock = fs::File::create(raw.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let fresh = |path: &Path| {
        let modified = |p: &Path| fs::metadata(p).and_then(|m| m.modified()).ok();
        modified(path) >= modified(base_image()) && modified(path).is_some()
    };
    if !fresh(&raw) {
        let new = raw.with_extension("new");
        let unpack = "xz -T0 -dc -- \"$1\" | cp --sparse=always /dev/stdin \"$2\"";
        run(Command::new("sh")
            .args(["-c", unpack, "sh"])
            .arg(base_image())
            .arg(&new));
        fs::rename(&new, &raw).expect("renaming");
    }
    raw
}

/// An image of the host's own processor, whose programs run without an emulator: there is no dispatcher.
pub fn native_image() -> Option<PathBuf> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        skip::skip("there is no asker for this processor");
        return None;
    }
    let recipe = checkout().join("tests/fixtures/native-image.sh");
    Some(run(&mut Command::new(recipe)).trim().into())
}

/// A copy of the unpacked base image in `dir`.
pub fn raw_copy(dir: &Path, name: &str) -> PathBuf {
    let copy = dir.join(name);
    run(Command::new("cp")
        .arg("--sparse=always")
        .arg(raw_image())
        .arg(&copy));
    copy
}

/// Runs `command`, which must succeed; returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = text(&output);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{out}\n{err}",
        output.status
    );
    out
}

/// Runs `command` with `input` on its standard input.
pub fn with_input(command: &mut Command, input: &str) -> Output {
    let (from, mut to) = std::io::pipe().expect("a pipe");
    // Short enough for the pipe's buffer.
    std::io::Write::write_all(&mut to, input.as_bytes()).expect("writing");
    drop(to);
    command
        .stdin(from)
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Standard output and standard error.
pub fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Waits until `done`, polling; panics with `what` after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a run must leave as it was: mounts, loop devices, processes, binfmt entries, temporary
/// directories.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    mounts: BTreeSet<String>,
    loops: BTreeSet<String>,
    binfmt: BTreeSet<String>,
    temporary: BTreeSet<String>,
    processes: BTreeSet<String>,
}

impl Host {
    /// The host as it is now.
    pub fn now() -> Self {
        Host {
            mounts: lines("/proc/self/mountinfo"),
            loops: loops(),
            binfmt: names("/proc/sys/fs/binfmt_misc"),
            temporary: ["/tmp", "/var/tmp", "/run", "/dev/shm", "/dev"]
                .map(str::to_owned)
                .into_iter()
                .chain([std::env::temp_dir().display().to_string()])
                .flat_map(|dir| {
                    names(&dir)
                        .into_iter()
                        .map(move |name| format!("{dir}/{name}"))
                })
                // The kernel makes a node when all others are in use, and keeps it. Whether one
                // is still in use is what `loops` says.
                .filter(|path| !path.starts_with("/dev/loop"))
                // LVM's programs make it, where there are any, when Ansible asks them for facts of this host.
                .filter(|path| path != "/run/lock")
                .collect(),
            processes: processes(),
        }
    }

    /// Panics unless the host becomes as it was within a minute: the kernel ends the
    /// namespaces of a killed run on its own, after the run itself is gone.
    pub fn assert_unchanged(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let now = Host::now();
            if now == *self {
                return;
            }
            if Instant::now() > deadline {
                let differ = |name, a: &BTreeSet<String>, b: &BTreeSet<String>| {
                    let (gone, new) = (a.difference(b), b.difference(a));
                    let (gone, new) = (gone.collect::<Vec<_>>(), new.collect::<Vec<_>>());
                    format!("{name}: gone {gone:?}, new {new:?}\n")
                };
                panic!(
                    "the host has changed:\n{}{}{}{}{}",
                    differ("mounts", &self.mounts, &now.mounts),
                    differ("loop devices", &self.loops, &now.loops),
                    differ("binfmt entries", &self.binfmt, &now.binfmt),
                    differ("temporary files", &self.temporary, &now.temporary),
                    differ("processes", &self.processes, &now.processes),
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn lines(path: &str) -> BTreeSet<String> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn names(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Attached loop devices with their files, as `losetup -a` lists them; not those of other tests, whose files are
/// below a TMPDIR of another name.
fn loops() -> BTreeSet<String> {
    let own = std::env::var_os(CACHE).map(|_| std::env::temp_dir());
    names("/sys/block")
        .into_iter()
        .filter_map(|name| {
            let file = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok()?;
            let ours = own
                .as_ref()
                .is_none_or(|own| Path::new(&file).starts_with(own));
            ours.then(|| format!("{name} {}", file.trim()))
        })
        .collect()
}

/// Processes that could be a run's: pichroot's, Ansible's and emulated ones.
fn processes() -> BTreeSet<String> {
    names("/proc")
        .into_iter()
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let first = line.split(' ').next()?;
            let known = first.contains("pichroot") && !first.contains("/deps/");
            (known || line.contains("ansible") || line.contains("qemu-"))
                .then_some(format!("{pid} {line}"))
        })
        .collect()
}
