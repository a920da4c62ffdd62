//! One run of pichroot that must fail, and what must be so afterwards.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sha2::Digest;

use crate::support::{self, Host, text};

/// No run of these tests takes as long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// A folder to work in and a cache of its own, on a host that must stay as it is.
pub struct Case {
    folder: tempfile::TempDir,
    cache: tempfile::TempDir,
    host: Host,
    /// The host is compared, so one at a time where tests are threads of one process.
    _alone: MutexGuard<'static, ()>,
}

/// A run that ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Case {
    pub fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Case {
            host: Host::now(),
            folder,
            cache,
            _alone: alone,
        }
    }

    /// The folder that runs start in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cache of this case's runs.
    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file into the folder.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// `pichroot ARGUMENTS`, in the folder.
    pub fn pichroot<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = support::pichroot(self.folder());
        command
            .env("PICHROOT_CACHE_DIR", self.cache())
            .args(arguments);
        command
    }

    /// `pichroot exec IMAGE ... -- true`.
    pub fn exec(&self, arguments: &[&str]) -> Command {
        let mut command = self.pichroot(["exec"]);
        command.args(arguments).args(["--", "true"]);
        command
    }

    /// `pichroot ansible play.yml ...`; the playbook writes a file into the image, without Python.
    pub fn ansible(&self, arguments: &[&str]) -> Command {
        if !self.path("play.yml").exists() {
            self.file("play.yml", play("echo done > /done"));
        }
        let mut command = self.pichroot(["ansible", "play.yml"]);
        command.args(arguments);
        command
    }

    /// Runs `command` to its end.
    pub fn run(&self, command: &mut Command) -> Ended {
        let output = finish(command);
        let (stdout, stderr) = text(&output);
        Ended {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }

    /// Runs `command`, which must end with `code`, with one `error:` line that has all of `error`
    /// in it and one `hint:` line with `hint`, and leave the folder and the host as they were.
    #[track_caller]
    pub fn refused(&self, command: &mut Command, code: i32, error: &[&str], hint: &str) -> Ended {
        let before = snapshot(self.folder());
        let ended = self.run(command);
        let stderr = &ended.stderr;
        assert_eq!(ended.code, Some(code), "{command:?}: {ended:#?}");
        let lines = |start: &str| {
            let lines = stderr.lines().filter(|line| line.starts_with(start));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (errors, hints) = (lines("error: "), lines("hint: "));
        assert_eq!((errors.len(), hints.len()), (1, 1), "{command:?}: {stderr}");
        for part in error {
            let whole = &stderr[stderr.find("error: ").unwrap()..];
            assert!(whole.contains(part), "no {part:?} in: {stderr}");
        }
        assert!(hints[0].contains(hint), "no {hint:?} in: {stderr}");
        assert!(
            !stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"),
            "{stderr}"
        );
        assert_eq!(snapshot(self.folder()), before, "{command:?}: {stderr}");
        self.unchanged();
        ended
    }

    /// As [`refused`](Self::refused), where the test itself has changed the host, and what is in the folder may change.
    #[track_caller]
    pub fn refused_on(&self, command: &mut Command, code: i32, error: &[&str], hint: &str) {
        let ended = self.run(command);
        let stderr = &ended.stderr;
        assert_eq!(ended.code, Some(code), "{command:?}: {ended:#?}");
        let lines = |start: &str| {
            stderr
                .lines()
                .filter(|line| line.starts_with(start))
                .count()
        };
        assert_eq!(
            (lines("error: "), lines("hint: ")),
            (1, 1),
            "{command:?}: {stderr}"
        );
        assert!(
            error.iter().all(|part| stderr.contains(part)),
            "no {error:?} in: {stderr}"
        );
        assert!(
            stderr[stderr.find("hint: ").unwrap()..].contains(hint),
            "no {hint:?} in: {stderr}"
        );
    }

    /// Runs `command`, which must end well and leave the host as it was; returns what it printed.
    #[track_caller]
    pub fn works(&self, command: &mut Command) -> String {
        let ended = self.run(command);
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:#?}");
        self.unchanged();
        ended.stdout
    }

    /// The host is as it was, and nothing incomplete is in the cache.
    #[track_caller]
    pub fn unchanged(&self) {
        self.host.assert_unchanged();
        for (path, _) in snapshot(self.cache()) {
            let whole = |end: &str| path.to_string_lossy().ends_with(end);
            let base = path.starts_with("bases");
            assert!(
                !base || whole(".img") || whole(".json") || whole("bases"),
                "left in the cache: {}",
                path.display()
            );
        }
    }

    /// How many base images the cache has.
    pub fn cached(&self) -> usize {
        snapshot(self.cache())
            .keys()
            .filter(|path| path.starts_with("bases") && path.extension() == Some("img".as_ref()))
            .count()
    }
}

/// A playbook with one task: `script`, run by the image's shell.
pub fn play(script: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: one\n      ansible.builtin.raw: {script}\n"
    )
}

/// `command` after `setup`, a shell script, in a mount namespace of their own: what is hidden or
/// mounted there concerns nobody else.
pub fn in_private_mounts(setup: &str, command: &Command) -> Command {
    let mut outer = Command::new("unshare");
    // With -n, mount(8) notes nothing in the host's /run.
    let script = format!("set -e\nmount() {{ command mount -n \"$@\"; }}\n{setup}\nexec \"$@\"");
    outer
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .args([&script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Runs to the end, within [`LIMIT`].
fn finish(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || all(stdout));
    let err = thread::spawn(move || all(stderr));
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            let err = String::from_utf8_lossy(&err.join().unwrap()).into_owned();
            panic!("{command:?} hangs: {err}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: out.join().unwrap(),
        stderr: err.join().unwrap(),
    }
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What there is below `dir`, by path: what it is, who owns it, when it was changed, and the content.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() {
            let mut hasher = sha2::Sha256::new();
            std::io::copy(
                &mut fs::File::open(&path).unwrap(),
                &mut Hashing(&mut hasher),
            )
            .unwrap();
            format!("{:x?}", hasher.finalize())
        } else if meta.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            String::new()
        } else {
            fs::read_link(&path).map_or(String::new(), |to| to.display().to_string())
        };
        // A folder's own times change when a file without a name is made in it.
        let time = (!meta.is_dir()).then(|| (meta.mtime(), meta.mtime_nsec()));
        let state = (meta.mode(), meta.uid(), meta.ino(), time, content);
        found.insert(path.strip_prefix(dir).unwrap().into(), format!("{state:?}"));
    }
    found
}

struct Hashing<'a>(&'a mut sha2::Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A path in single quotes, for a shell.
pub fn quoted(path: &Path) -> String {
    let text = String::from_utf8(path.as_os_str().as_bytes().to_vec()).unwrap();
    assert!(!text.contains('\''));
    format!("'{text}'")
}
