//! File systems laid out to lead astray what opens them from the host's side.
//!
//! Whatever the layout, pichroot ends in time, by running the image's shell or with one clear error
//! and a documented exit code, and the host has not changed.

use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
    process::Output,
};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::{
    image::{Kept, SMALL_FAT, SMALL_ROOT, Small, debugfs, exec, within_limit},
    support::{Host, text},
};

/// A part of the host with everything an image could link to, which must stay as it is.
struct Bait(tempfile::TempDir);

impl Bait {
    fn new() -> Self {
        let bait = Bait(tempfile::tempdir().unwrap());
        for dir in [
            "firmware",
            "sys/fs/binfmt_misc",
            "pts",
            "shm",
            "lock",
            "systemd/resolve",
            "bin",
        ] {
            fs::create_dir_all(bait.path().join(dir)).unwrap();
        }
        for file in [
            "fstab",
            "os-release",
            "resolv.conf",
            "policy-rc.d",
            "sh",
            "null",
            "python3",
        ] {
            fs::write(bait.path().join(file), "LABEL=boot / vfat\nof the host").unwrap();
        }
        fs::write(bait.path().join("sys/fs/binfmt_misc/register"), "").unwrap();
        bait
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn kept(&self) -> Kept {
        let inner = ["sys/fs/binfmt_misc", "pts", "shm", "systemd/resolve"];
        let mut paths = inner.map(|dir| self.path().join(dir)).to_vec();
        paths.push(self.path().to_owned());
        Kept::now(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())
    }
}

/// Runs the shell of `disk`; returns the exit code after looking at how it ended.
fn outcome(disk: &Path, what: &str) -> (i32, Output) {
    let output = within_limit(&mut exec(disk, &["/bin/sh"]));
    let (out, err) = text(&output);
    let code = output.status.code().unwrap();
    assert!(!err.contains("panicked"), "{what}: {err}");
    match code {
        0 => assert_eq!(out, "ran\n", "{what}: {err}"),
        // The image has no such program, or one that is none; the executor says so.
        126 | 127 => assert!(err.contains("chroot: "), "{what}: {err}"),
        // Never 3: this host is not to blame.
        4 => {
            let errors = err
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count();
            assert_eq!(errors, 1, "{what}: {err}");
            assert!(err.contains("hint: "), "{what}: {err}");
        }
        code => panic!("{what}: exit {code}: {err}"),
    }
    (code, output)
}

/// Paths that code of the host opens in an image, or mounts on.
const OPENED: [&str; 19] = [
    "bin",
    "bin/sh",
    "boot",
    "boot/firmware",
    "dev",
    "etc",
    "etc/fstab",
    "etc/os-release",
    "etc/resolv.conf",
    "etc/.resolv.conf.pichroot",
    "proc",
    "run",
    "sys",
    "tmp",
    "usr",
    "usr/bin/python3",
    "usr/sbin",
    "usr/sbin/policy-rc.d",
    "usr/sbin/.policy-rc.d.pichroot",
];

/// Removes whatever is at `path`.
fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Each path of [`OPENED`] spoiled by `spoil`, which may decline by returning false.
fn each_path(what: &str, spoil: impl Fn(&Path, &str, &Path) -> bool) {
    let bait = Bait::new();
    let (host, kept) = (Host::now(), Kept::of_host());
    let untouched = bait.kept();
    for name in OPENED {
        let small = Small::new();
        let path = small.root().join(name);
        clear(&path);
        if !spoil(&path, name, bait.path()) {
            continue;
        }
        let disk = small.pack();
        let (code, _) = outcome(&disk, &format!("/{name} as {what}"));
        // Once more: the first run must not have left it worse.
        assert_eq!(outcome(&disk, &format!("/{name} as {what}, again")).0, code);
        untouched.assert_same(bait.kept());
    }
    host.assert_unchanged();
    kept.assert_same(Kept::of_host());
}

/// What the bait has for the path `name` of an image.
fn lure(name: &str, bait: &Path) -> PathBuf {
    let last = Path::new(name).file_name().unwrap();
    let file = bait.join(last);
    if file.is_file() || last == "firmware" {
        file
    } else {
        bait.to_owned()
    }
}

#[test]
fn absolute_links_to_the_host() {
    each_path("absolute link", |path, name, bait| {
        symlink(lure(name, bait), path).is_ok()
    });
}

#[test]
fn links_out_of_the_root() {
    each_path("relative link", |path, name, bait| {
        let up = Path::new("../../../../../../../../../..");
        let target = lure(name, bait);
        symlink(up.join(target.strip_prefix("/").unwrap()), path).is_ok()
    });
}

#[test]
fn links_to_themselves() {
    each_path("loop", |path, _, _| {
        symlink(path.file_name().unwrap(), path).is_ok()
    });
}

#[test]
fn links_to_the_kernels_file_systems() {
    for target in [
        "/proc/1/root",
        "/proc/self/fd",
        "/proc/sys",
        "/dev",
        "/sys",
        "/run",
    ] {
        each_path(target, |path, name, _| {
            // The bulk of the combinations says nothing new.
            let kernels = [
                "dev",
                "proc",
                "run",
                "sys",
                "tmp",
                "etc/resolv.conf",
                "boot",
            ];
            kernels.contains(&name) && symlink(target, path).is_ok()
        });
    }
}

#[test]
fn fifos() {
    each_path("fifo", |path, _, _| {
        mknod(path, SFlag::S_IFIFO, Mode::S_IRWXU, 0).is_ok()
    });
}

#[test]
fn devices() {
    // A block device that there is, and the terminal, which an open would wait for.
    each_path("device", |path, name, _| {
        let (kind, device) = match name {
            "bin/sh" | "etc/fstab" => (SFlag::S_IFCHR, makedev(5, 0)),
            _ => (SFlag::S_IFBLK, makedev(7, 0)),
        };
        mknod(path, kind, Mode::from_bits_truncate(0o777), device).is_ok()
    });
}

#[test]
fn files_for_directories_and_directories_for_files() {
    each_path("the other kind", |path, name, _| {
        let directories = [
            "bin",
            "boot",
            "boot/firmware",
            "dev",
            "etc",
            "proc",
            "run",
            "sys",
            "tmp",
        ];
        if directories.contains(&name) || name == "usr" || name == "usr/sbin" {
            fs::write(path, "x").is_ok()
        } else {
            fs::create_dir(path).is_ok()
        }
    });
}

#[test]
fn huge_files() {
    each_path("huge file", |path, name, _| {
        let files = ["bin/sh", "etc/fstab", "etc/os-release", "usr/bin/python3"];
        if !files.contains(&name) {
            return false;
        }
        let file = fs::File::create(path).unwrap();
        // With something behind the hole, where only a reader of everything gets to.
        file.set_len(10 << 30).is_ok() && file.write_all_at(b"x", (10 << 30) - 1).is_ok()
    });
}

#[test]
fn shells_that_are_no_programs() {
    each_path("garbage", |path, name, _| {
        if name != "bin/sh" {
            return false;
        }
        let mut elf = vec![0xff; 4096];
        elf[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0");
        fs::write(path, elf).is_ok()
    });
}

#[test]
fn resolv_conf_with_a_target_outside_of_run() {
    let bait = Bait::new();
    let (host, untouched) = (Host::now(), bait.kept());
    let passwd = "root:x:0:0\n";
    for target in [
        "../run/../etc/passwd",
        "/run/../../../../etc/passwd",
        "/run/",
        "/run/.",
        "/run/lock",
        "/run/pichroot/policy-rc.d",
        "/var/run/../../etc/new",
        "resolv.conf",
        "/run/a/b/c/d",
    ] {
        let small = Small::new();
        fs::write(small.root().join("etc/passwd"), passwd).unwrap();
        let path = small.root().join("etc/resolv.conf");
        clear(&path);
        symlink(target, &path).unwrap();
        // It was there before the run.
        let mut touch = std::process::Command::new("touch");
        crate::support::run(touch.args(["-h", "-d", "@0"]).arg(&path));
        let disk = small.pack();
        outcome(&disk, target);
        let place = format!("{}?offset={}", disk.display(), SMALL_ROOT * 512);
        let read = |name| {
            crate::support::run(
                std::process::Command::new("debugfs")
                    .args(["-R", name])
                    .arg(&place),
            )
        };
        assert_eq!(read("cat /etc/passwd"), passwd, "{target}");
        assert!(!read("ls /etc").contains("new"), "{target}");
    }
    untouched.assert_same(bait.kept());
    host.assert_unchanged();
}

#[test]
fn fstabs_that_go_too_far() {
    let (host, kept) = (Host::now(), Kept::of_host());
    let many = "LABEL=boot /boot/firmware vfat defaults\n".repeat(50_000);
    let deep = format!("LABEL=boot /{} vfat defaults\n", "a/".repeat(5000));
    for (fstab, expected) in [
        ("LABEL=boot /../../../../etc vfat defaults\n", &[0][..]),
        ("LABEL=boot ../../etc vfat defaults\n", &[0]),
        ("LABEL=boot /etc vfat defaults\n", &[0]),
        ("LABEL=boot /bin vfat defaults\n", &[4]),
        ("LABEL=boot /proc vfat defaults\n", &[0]),
        ("LABEL=boot /dev vfat defaults\n", &[0]),
        ("LABEL=boot /missing vfat defaults\n", &[0]),
        (
            "LABEL=boot /boot/firmware vfat errors=panic,exec,dev,suid\n",
            &[0],
        ),
        (
            "LABEL=writable / ext4 errors=panic\nLABEL=writable /boot ext4 x\n",
            &[0],
        ),
        ("/etc /boot none bind 0 0\n/dev/sda1 /boot ext4\n", &[0]),
        (
            "\0\u{1b}]0;owned\u{7} \u{1b}[2J vfat\nLABEL=none /\u{9b}2J\u{1b}c\\033 ext4\n",
            &[0],
        ),
        (&many, &[0]),
        (&deep, &[0, 4]),
    ] {
        let small = Small::new();
        fs::write(small.root().join("etc/fstab"), fstab).unwrap();
        let shown = &fstab[..fstab.len().min(80)];
        let (code, output) = outcome(&small.pack(), shown);
        let (_, err) = text(&output);
        assert!(expected.contains(&code), "{shown}: {code} {err}");
        let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!err.contains(obeyed), "{shown}: {err:?}");
        // And not a warning for each of thousands of lines.
        assert!(err.lines().count() < 1100, "{}", err.lines().count());
    }
    host.assert_unchanged();
    kept.assert_same(Kept::of_host());
}

#[test]
fn mount_points_that_the_image_moves_while_it_runs() {
    // The teardown must find its mounts, and nothing of the host's at their old paths.
    let dir = tempfile::tempdir().unwrap();
    let image = crate::support::raw_copy(dir.path(), "x.img");
    let bait = Bait::new();
    let (host, untouched) = (Host::now(), bait.kept());
    let script = format!(
        "set -e; echo put >/boot/firmware/put; mv /boot '/boo t\\x'; ln -s {} /boot; sync",
        bait.path().display()
    );
    let output = within_limit(&mut exec(&image, &["sh", "-c", &script]));
    assert_eq!(output.status.code(), Some(0), "{:?}", text(&output));
    host.assert_unchanged();
    untouched.assert_same(bait.kept());
    let look = "cat '/boo t\\x/firmware/put' 2>/dev/null; readlink /boot; ls -d '/boo t\\x'";
    let output = within_limit(&mut exec(&image, &["sh", "-c", look]));
    // The fstab's mount point is gone, so this time it is an error.
    assert_eq!(output.status.code(), Some(4), "{:?}", text(&output));
    host.assert_unchanged();
}

/// Overwrites bytes of the disk at `at`.
fn patch(disk: &Path, at: u64, bytes: &[u8]) {
    let file = fs::File::options().write(true).open(disk).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn damaged_and_hostile_superblocks() {
    let (host, kept) = (Host::now(), Kept::of_host());
    let superblock = SMALL_ROOT * 512 + 1024;
    // s_errors = 3 is panic; a directory block of the root is damaged, so that there is an error.
    let small = Small::new();
    let disk = small.pack();
    debugfs(
        &disk,
        SMALL_ROOT,
        &["set_super_value errors 3", "set_inode_field etc block[0] 1"],
    );
    let (code, _) = outcome(&disk, "errors=panic on a damaged directory");
    assert_eq!(code, 4);
    drop(small);
    // This very machine would have stopped otherwise.
    for (what, at, bytes) in [
        ("no free blocks", 12, &[0; 4][..]),
        ("a block size of 1 << 31", 24, &[21, 0, 0, 0]),
        ("no inodes", 0, &[0; 4]),
        ("all blocks in one group", 32, &[0xff; 4]),
        ("more blocks than the partition", 4, &[0xff; 4]),
        ("a journal that is a device", 224, &[1, 2, 3, 4]),
        ("unknown incompatible features", 96, &[0xff; 4]),
        ("a first inode far away", 84, &[0xff; 4]),
        ("orphans", 232, &[12, 0, 0, 0]),
    ] {
        let disk_of = Small::new();
        let disk = disk_of.pack();
        patch(&disk, superblock + at, bytes);
        let (code, _) = outcome(&disk, what);
        assert!([0, 4].contains(&code), "{what}: {code}");
    }
    host.assert_unchanged();
    kept.assert_same(Kept::of_host());
}

#[test]
fn fats_with_cycles_and_lies() {
    let host = Host::now();
    let fat = SMALL_FAT * 512;
    for (what, at, bytes) in [
        (
            "a root directory that is its own continuation",
            512,
            &[0x02; 4096][..],
        ),
        (
            "every cluster leads to the first",
            512,
            &[0x02, 0x20, 0x00].repeat(1000),
        ),
        ("no reserved sectors", 14, &[0, 0]),
        ("no sectors in a cluster", 13, &[0]),
        ("no FAT", 16, &[0]),
        ("sectors of 3 bytes", 11, &[3, 0]),
        ("a FAT of 4 GB", 36, &[0xff; 4]),
        (
            "the name of an escape sequence",
            43,
            b"\x1b]0;x\x07\x1b[2J  ",
        ),
    ] {
        let small = Small::new();
        let disk = small.pack();
        patch(&disk, fat + at, bytes);
        let (code, output) = outcome(&disk, what);
        let (_, err) = text(&output);
        assert!([0, 4].contains(&code), "{what}: {code} {err}");
        assert!(
            !err.contains('\x1b') && !err.contains('\x07'),
            "{what}: {err:?}"
        );
    }
    host.assert_unchanged();
}

#[test]
fn names_with_escape_sequences() {
    let small = Small::new();
    let name = "PRETTY_NAME=\"\x1b]0;owned\x07\x1b[2J\u{9b}31mSmall\"\n";
    fs::write(small.root().join("etc/os-release"), name).unwrap();
    fs::write(
        small.root().join("etc/fstab"),
        "LABEL=\x1b[2J /\x1b[31m ext4\n",
    )
    .unwrap();
    fs::write(small.root().join("tmp/\x1b[2J\x07"), "").unwrap();
    let disk = small.pack();
    debugfs(
        &disk,
        SMALL_ROOT,
        &["set_super_value volume_name \x1b[2J\x07"],
    );
    // The file's link count is wrong, so that the check at the end has something to say.
    debugfs(
        &disk,
        SMALL_ROOT,
        &["set_inode_field tmp/\x1b[2J\x07 links_count 5"],
    );
    let (code, output) = outcome(&disk, "escape sequences");
    let (out, err) = text(&output);
    assert_eq!(code, 4, "{err}");
    assert!(
        !err.contains('\x1b') && !out.contains('\x1b') && !err.contains('\u{9b}'),
        "{err:?}"
    );
}
