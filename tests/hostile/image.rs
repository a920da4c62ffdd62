//! Running pichroot on an image, with a time limit; and small images of the host's own architecture,
//! made from a directory within a moment.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::support::{checkout, pichroot, run};

/// No attempt may take longer: a hang is a failure, too.
const LIMIT: Duration = Duration::from_secs(300);

/// `pichroot exec --write IMAGE -- argv`.
pub fn exec(image: &Path, argv: &[&str]) -> Command {
    let mut command = pichroot(image.parent().unwrap());
    command.arg("exec").arg("--write").arg(image).arg("--");
    command.args(argv);
    command
}

/// Runs `command` to its end, which must come in time.
pub fn within_limit(command: &mut Command) -> Output {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut all = Vec::new();
            from.read_to_end(&mut all).map(|_| all)
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{command:?} took longer than {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.signal(), None, "{command:?}");
    Output {
        status,
        stdout: stdout.join().unwrap().unwrap(),
        stderr: stderr.join().unwrap().unwrap(),
    }
}

/// Compiles a program of tests/fixtures/hostile for the host, static.
pub fn compile(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = checkout().join(format!("tests/fixtures/hostile/{name}.c"));
    let age = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    if age(&program) < age(&source) {
        // Under another name first: other tests may be compiling it, too.
        let new = tempfile::Builder::new()
            .tempfile_in(program.parent().unwrap())
            .unwrap()
            .into_temp_path();
        run(Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-static", "-o"])
            .args([&*new, &source]));
        fs::rename(&new, &program).unwrap();
    }
    program
}

/// A small disk with a FAT and an ext4 partition; the ext4 is a Linux root whose only program is
/// `ran.c` as /bin/sh, for the host's own architecture.
pub struct Small {
    dir: tempfile::TempDir,
}

/// Partitions in sectors, as the dos label of [`Small`] has them.
const FAT: (u64, u64) = (2048, 8192);
const EXT4: (u64, u64) = (FAT.0 + FAT.1, 40960);

impl Small {
    /// A sound tree, to be spoiled below [`Small::root`].
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let small = Small { dir };
        let root = small.root();
        for directory in
            "bin boot/firmware dev etc proc root run sys tmp usr/bin usr/sbin".split(' ')
        {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::copy(compile("ran"), root.join("bin/sh")).unwrap();
        fs::write(root.join("usr/bin/python3"), "").unwrap();
        let fstab = "LABEL=writable / ext4 defaults\nLABEL=boot /boot/firmware vfat defaults\n";
        fs::write(root.join("etc/fstab"), fstab).unwrap();
        fs::write(root.join("etc/os-release"), "PRETTY_NAME=\"Small\"\n").unwrap();
        fs::write(root.join("etc/resolv.conf"), "nameserver 192.0.2.1\n").unwrap();
        small
    }

    /// The tree that becomes the root file system.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Packs the tree into a disk image.
    pub fn pack(&self) -> PathBuf {
        let disk = self.dir.path().join("small.img");
        let file = fs::File::create(&disk).unwrap();
        file.set_len((EXT4.0 + EXT4.1) * 512).unwrap();
        let table = format!(
            "label: dos\nstart={}, size={}, type=c\nstart={}, size={}, type=83\n",
            FAT.0, FAT.1, EXT4.0, EXT4.1
        );
        let script = self.dir.path().join("table");
        fs::write(&script, table).unwrap();
        run(Command::new("sfdisk")
            .args(["--quiet", "--no-reread", "--no-tell-kernel"])
            .arg(&disk)
            .stdin(fs::File::open(script).unwrap()));
        run(Command::new("mkfs.vfat")
            .args(["-n", "boot", "--offset", &FAT.0.to_string()])
            .arg(&disk)
            .arg((FAT.1 / 2).to_string()));
        let offset = format!("offset={}", EXT4.0 * 512);
        run(Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-L", "writable", "-E", &offset, "-d"])
            .arg(self.root())
            .arg(&disk)
            .arg(format!("{}k", EXT4.1 / 2)));
        disk
    }
}

/// Runs debugfs commands that write to the ext4 partition at `sector` of `disk`.
pub fn debugfs(disk: &Path, sector: u64, commands: &[&str]) {
    for command in commands {
        let place = format!("{}?offset={}", disk.display(), sector * 512);
        run(Command::new("debugfs")
            .args(["-w", "-R", command])
            .arg(place));
    }
}

/// The ext4 partition of a [`Small`] image.
pub const SMALL_ROOT: u64 = EXT4.0;
/// The FAT partition of a [`Small`] image.
pub const SMALL_FAT: u64 = FAT.0;
/// The root of the real base image.
pub const BASE_ROOT: u64 = 526_336;

/// Files of the host that are never to change: their path, place, mode, owner, size and time.
#[derive(Debug)]
pub struct Kept(BTreeSet<(PathBuf, u64, u32, u32, u64, i64, i64)>);

impl Kept {
    /// These files and directories, and what is directly in them, as they are now.
    pub fn now(paths: &[&Path]) -> Self {
        let mut all = Vec::new();
        for path in paths {
            all.push((*path).to_owned());
            let inside = fs::read_dir(path).into_iter().flatten().flatten();
            all.extend(inside.map(|entry| entry.path()));
        }
        let state = |path: PathBuf| {
            let meta = fs::symlink_metadata(&path).ok()?;
            // Sizes and times of directories tell no more than what is in them, and others' runs
            // change /tmp.
            let (size, time) = match meta.is_file() {
                true => (meta.size(), (meta.mtime(), meta.mtime_nsec())),
                false => (meta.rdev(), (0, 0)),
            };
            Some((
                path,
                meta.ino(),
                meta.mode(),
                meta.uid(),
                size,
                time.0,
                time.1,
            ))
        };
        Kept(all.into_iter().filter_map(state).collect())
    }

    /// Panics unless all is as `self` has it.
    pub fn assert_same(&self, now: Self) {
        let changed = self.0.symmetric_difference(&now.0).collect::<Vec<_>>();
        assert!(
            changed.is_empty(),
            "files of the host changed: {changed:#?}"
        );
    }

    /// What an image would like to change most.
    pub fn of_host() -> Self {
        let qemu = Path::new("/usr/bin/qemu-aarch64-static");
        let own = Path::new(env!("CARGO_BIN_EXE_pichroot"));
        let paths = ["/", "/etc", "/usr/bin", "/usr/sbin", "/root", "/boot"].map(Path::new);
        let nodes = ["/dev/null", "/dev/zero", "/dev/tty", "/dev/urandom"].map(Path::new);
        Self::now(&[&paths[..], &nodes[..], &[qemu, own]].concat())
    }
}
