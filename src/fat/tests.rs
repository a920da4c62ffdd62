//! The file system as programs see it: mounted, compared with a plain directory, checked by fsck.
//!
//! These need root, /dev/fuse and dosfstools. They mount in their own mount namespace: nothing is left behind, whatever
//! happens.

mod hostile;
mod model;
mod posix;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use nix::{
    mount::{MsFlags, mount as mount_syscall},
    sched::{CloneFlags, unshare},
};

use super::{FatMount, mount};

/// Where the file system begins in the image, so that a wrong offset is noticed.
const OFFSET: u64 = 1 << 20;
/// What surrounds the file system, and must still be there at the end.
const GUARD: u8 = 0x5a;

/// An image with one FAT file system between guards, and a directory to mount it at.
struct Disk {
    dir: tempfile::TempDir,
    size: u64,
}

impl Disk {
    /// Formats `mib` MiB.
    fn new(mib: u64, args: &[&str]) -> Disk {
        assert!(
            nix::unistd::geteuid().is_root(),
            "mounting needs root: run the tests with make test, which asks for it"
        );
        let fuse = File::options().read(true).write(true).open("/dev/fuse");
        fuse.expect("a /dev/fuse: modprobe fuse; a container needs --device /dev/fuse");
        for tool in ["mkfs.vfat", "fsck.vfat"] {
            which::which(tool).unwrap_or_else(|_| panic!("{tool} is missing: install dosfstools"));
        }
        // Of this thread only, which is the test's own.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount_syscall(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let disk = Disk {
            dir: tempfile::tempdir().unwrap(),
            size: mib << 20,
        };
        fs::create_dir(disk.root()).unwrap();
        let plain = disk.dir.path().join("plain");
        File::create(&plain).unwrap().set_len(disk.size).unwrap();
        run("mkfs.vfat", &[args, &[plain.to_str().unwrap()]].concat());
        let content = fs::read(&plain).unwrap();
        let guard = vec![GUARD; OFFSET as usize];
        fs::write(disk.image(), [&guard[..], &content, &guard].concat()).unwrap();
        disk
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn mount(&self) -> FatMount {
        let image = File::options()
            .read(true)
            .write(true)
            .open(self.image())
            .unwrap();
        mount(
            image,
            OFFSET,
            self.size,
            &self.root(),
            "/dev/mmcblk0p1".as_ref(),
            false,
        )
        .unwrap()
    }

    /// The bytes of the file system; the guards must be whole.
    fn bytes(&self) -> Vec<u8> {
        let all = fs::read(self.image()).unwrap();
        let (before, rest) = all.split_at(OFFSET as usize);
        let (inside, behind) = rest.split_at(self.size as usize);
        assert!(before.iter().chain(behind).all(|&byte| byte == GUARD));
        inside.to_vec()
    }

    /// fsck.vfat must have nothing to say.
    fn check(&self) {
        let plain = self.dir.path().join("plain");
        fs::write(&plain, self.bytes()).unwrap();
        run("fsck.vfat", &["-n", plain.to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {args:?}: {text}{errors}"
    );
    text
}

/// Every file below `root` with its content; directories end in a slash.
fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                found.push((name + "/", Vec::new()));
                left.push(path);
            } else {
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
