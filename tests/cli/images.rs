//! Small images, made in a moment: partitions with a static busybox that runs on this host.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::{FileExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::run;

pub const MIB: u64 = 1 << 20;

/// One partition: its line of sfdisk's without start and size, the size, and what is in it.
pub struct Part {
    pub kind: &'static str,
    pub mib: u64,
    pub content: Vec<u8>,
}

impl Part {
    pub fn new(kind: &'static str, mib: u64, content: Vec<u8>) -> Self {
        Part { kind, mib, content }
    }
}

/// A disk image `path`, its partitions one after the other from 1 MiB on, each with 1 MiB before it
/// (where a logical partition has its own table).
pub fn disk(path: &Path, label: &str, parts: &[Part]) {
    let mut script = format!("label: {label}\n");
    let mut at = MIB;
    let extended = parts.iter().position(|part| part.kind == "extended");
    for (index, part) in parts.iter().enumerate() {
        let kind = if part.kind == "extended" {
            "f"
        } else {
            part.kind
        };
        let (start, size) = (at / 512, part.mib * MIB / 512);
        // Linux' numbers: logical partitions count from 5.
        let number = match extended {
            Some(extended) if index > extended => 5 + index - extended - 1,
            _ => index + 1,
        };
        script += &format!("{number}: start={start}, size={size}, type={kind}\n");
        // An extended partition lies around those that follow.
        at += if extended == Some(index) {
            MIB
        } else {
            (part.mib + 1) * MIB
        };
    }
    let file = File::create(path).unwrap();
    let last = extended.map_or(0, |index| parts[index].mib * MIB);
    file.set_len(at + last + MIB).unwrap();
    let mut sfdisk = Command::new("sfdisk")
        .args(["-q", "--no-reread"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sfdisk is installed");
    let mut stdin = sfdisk.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    assert!(sfdisk.wait().unwrap().success(), "{script}");
    let mut at = MIB;
    for (index, part) in parts.iter().enumerate() {
        if extended != Some(index) {
            write_sparse(&file, &part.content, at);
        }
        at += if extended == Some(index) {
            MIB
        } else {
            (part.mib + 1) * MIB
        };
    }
}

fn write_sparse(file: &File, bytes: &[u8], at: u64) {
    for (index, block) in bytes.chunks(4096).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, at + 4096 * index as u64).unwrap();
        }
    }
}

/// What goes into a root file system, beside busybox.
#[derive(Default)]
pub struct Root<'a> {
    /// Text files, by path.
    pub files: &'a [(&'a str, &'a str)],
    /// In place of busybox as /bin/sh.
    pub shell: Option<Vec<u8>>,
    /// Further arguments for mke2fs, such as `-L writable`.
    pub mke2fs: &'a [&'a str],
    /// debugfs commands that damage it afterwards.
    pub debugfs: &'a [&'a str],
}

/// A root file system of `mib` MiB, ext4.
pub fn root(mib: u64, with: &Root) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("root");
    tree(&top, with);
    ext4(&top, mib, with, dir.path())
}

/// The files of a root.
pub fn tree(top: &Path, with: &Root) {
    for name in [
        "bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "boot",
    ] {
        fs::create_dir_all(top.join(name)).unwrap();
    }
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).unwrap();
    match &with.shell {
        Some(program) => fs::write(top.join("bin/sh"), program).unwrap(),
        None => {
            fs::copy(busybox(), top.join("bin/busybox")).unwrap();
            for name in [
                "sh", "cat", "cp", "dd", "echo", "ls", "sleep", "sync", "touch", "true", "uname",
            ] {
                symlink("busybox", top.join("bin").join(name)).unwrap();
            }
        }
    }
    if let Ok(sh) = fs::metadata(top.join("bin/sh")) {
        let mode = fs::Permissions::from_mode(sh.permissions().mode() | 0o755);
        fs::set_permissions(top.join("bin/sh"), mode).unwrap();
    }
    fs::write(top.join("etc/os-release"), "PRETTY_NAME=\"Tiny Linux\"\n").unwrap();
    for (path, text) in with.files {
        let path = top.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A btrfs of `mib` MiB, 114 at least, in which `fill` makes what it wants.
pub fn btrfs(mib: u64, fill: impl FnOnce(&Path)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (image, top) = (dir.path().join("fs"), dir.path().join("top"));
    fs::create_dir(&top).unwrap();
    File::create(&image).unwrap().set_len(mib * MIB).unwrap();
    run(Command::new("mkfs.btrfs").arg("-q").arg(&image));
    run(Command::new("mount")
        .args(["-n", "-o", "loop"])
        .args([&image, &top]));
    fill(&top);
    run(Command::new("umount").arg("-n").arg(&top));
    fs::read(image).unwrap()
}

/// An ext4 with nothing but one file.
pub fn no_root(mib: u64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("data");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("photo.jpg"), "not a system").unwrap();
    ext4(&top, mib, &Root::default(), dir.path())
}

pub fn ext4(top: &Path, mib: u64, with: &Root, scratch: &Path) -> Vec<u8> {
    let image = scratch.join("fs");
    run(Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-F", "-E", "root_owner=0:0"])
        .args(with.mke2fs)
        .arg("-d")
        .arg(top)
        .arg(&image)
        .arg(format!("{mib}M")));
    for line in with.debugfs {
        run(Command::new("debugfs").args(["-w", "-R", line]).arg(&image));
    }
    fs::read(image).unwrap()
}

/// An empty FAT file system.
pub fn fat(mib: u64, label: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(mib * MIB).unwrap();
    run(Command::new("mkfs.vfat")
        .args(["-n", label])
        .arg(file.path()));
    fs::read(file.path()).unwrap()
}

/// A FAT16 with a folder in which `count` files have the same name.
pub fn fat_of_equal_names(mib: u64, label: &str, count: usize) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(mib * MIB).unwrap();
    run(Command::new("mkfs.vfat")
        .args(["-F", "16", "-s", "4", "-n", label])
        .arg(file.path()));
    let mut fat = fs::read(file.path()).unwrap();
    let word = |at: usize| usize::from(u16::from_le_bytes([fat[at], fat[at + 1]]));
    let (sector, tables, entries) = (word(11), usize::from(fat[16]), word(17));
    let (table, table_size) = (word(14) * sector, word(22) * sector);
    let root = table + tables * table_size;
    let data = root + 32 * entries;
    let entry = |name: &[u8; 11], attributes: u8, cluster: u8| {
        let mut entry = [0; 32];
        entry[..11].copy_from_slice(name);
        (entry[11], entry[26]) = (attributes, cluster);
        entry
    };
    let files = [entry(b"EQUAL   TXT", 0x20, 0)].repeat(count);
    let dots = [
        entry(b".          ", 0x10, 2),
        entry(b"..         ", 0x10, 0),
    ];
    let folder = [&dots[..], &files].concat().concat();
    let clusters = folder.len().div_ceil(4 * sector);
    for copy in 0..tables {
        for index in 0..clusters {
            let next = if index + 1 == clusters {
                0xffff
            } else {
                index + 3
            };
            let at = table + copy * table_size + 2 * (index + 2);
            fat[at..at + 2].copy_from_slice(&(next as u16).to_le_bytes());
        }
    }
    fat[data..data + folder.len()].copy_from_slice(&folder);
    // Behind the label.
    fat[root + 32..root + 64].copy_from_slice(&entry(b"D          ", 0x10, 2));
    fat
}

/// A FAT file system with empty files of these names; those that end in a slash are directories.
pub fn fat_with(mib: u64, label: &str, names: &[&str]) -> Vec<u8> {
    let mut bytes = fat(mib, label);
    {
        let disk = std::io::Cursor::new(&mut bytes[..]);
        let fs = fatfs::FileSystem::new(disk, fatfs::FsOptions::new()).unwrap();
        for name in names {
            match name.strip_suffix('/') {
                Some(name) => drop(fs.root_dir().create_dir(name).unwrap()),
                None => drop(fs.root_dir().create_file(name).unwrap()),
            }
        }
    }
    bytes
}

/// A whole small image: dos label, FAT, and a root that this host runs.
pub fn tiny(path: &Path) {
    tiny_with(path, &Root::default());
}

pub fn tiny_with(path: &Path, with: &Root) {
    disk(
        path,
        "dos",
        &[
            Part::new("c", 2, fat(2, "system-boot")),
            Part::new("83", 16, root(16, with)),
        ],
    );
}

/// The static busybox of this host.
fn busybox() -> PathBuf {
    ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .expect("busybox-static is installed")
}

/// busybox, but for the processor with this ELF machine number.
pub fn program_for(machine: u16) -> Vec<u8> {
    let mut program = Vec::new();
    File::open(busybox())
        .unwrap()
        .read_to_end(&mut program)
        .unwrap();
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    program
}

/// Reads a file of the ext4 partition that begins at `offset` in the image.
pub fn read_file(image: &Path, offset: u64, path: &str) -> String {
    let name = format!("{}?offset={offset}", image.display());
    run(Command::new("debugfs")
        .args(["-R", &format!("cat {path}")])
        .arg(name))
}

/// Packs bytes, in each of the formats.
pub mod pack {
    use std::io::Write;

    pub fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}
