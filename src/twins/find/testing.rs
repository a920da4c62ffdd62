//! Small made-up roots with a dpkg database, for tests.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use md5::{Digest, Md5};

use crate::sys::inroot::Root;

/// A root in a temporary folder.
pub struct Tree {
    dir: tempfile::TempDir,
    arch: &'static str,
}

impl Tree {
    /// An empty one, where dpkg is of `arch`.
    pub fn new(arch: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("var/lib/dpkg/info")).unwrap();
        let tree = Tree { dir, arch };
        tree.package("dpkg", "1.21.1", "");
        tree
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn root(&self) -> Root {
        Root::open(self.dir.path()).unwrap()
    }

    /// Adds a paragraph to the status file.
    pub fn status(&self, paragraph: &str) {
        self.append("var/lib/dpkg/status", &format!("{paragraph}\n"));
    }

    /// Adds an installed package; `name` may have an architecture behind a colon.
    pub fn package(&self, name: &str, version: &str, fields: &str) {
        let name = name.split(':').next().unwrap();
        self.status(&format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: {}\n{fields}Version: {version}\n",
            self.arch
        ));
    }

    /// Adds a file to a package.
    pub fn file(&self, package: &str, path: &str, content: &[u8]) {
        let at = self.path(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, content).unwrap();
        fs::set_permissions(&at, Permissions::from_mode(0o755)).unwrap();
        let sum = Md5::digest(content);
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let info = format!("var/lib/dpkg/info/{package}");
        self.append(&format!("{info}.md5sums"), &format!("{sum}  {path}\n"));
        self.append(&format!("{info}.list"), &format!("/{path}\n"));
    }

    fn append(&self, path: &str, text: &str) {
        let mut options = File::options();
        let mut file = options
            .append(true)
            .create(true)
            .open(self.path(path))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// A dynamic program or library for the ELF machine `machine` that asks for `needed`.
pub fn elf(machine: u16, needed: &[&str]) -> Vec<u8> {
    const HEADERS: u64 = 64;
    let (dynamic, strings) = (
        HEADERS + 3 * 56,
        HEADERS + 3 * 56 + 16 * (needed.len() as u64 + 3),
    );
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32] = HEADERS as u8;
    (file[54], file[56]) = (56, 3);
    // PT_LOAD of all, PT_DYNAMIC, PT_INTERP: type, then offset, address and size.
    for (kind, at, size) in [(1, 0, 1 << 16), (2, dynamic, strings - dynamic), (3, 0, 0)] {
        let mut header = [0_u64; 7];
        (header[0], header[1], header[2], header[4]) = (kind, at, at, size);
        file.extend(header.iter().flat_map(|field| field.to_le_bytes()));
    }
    let mut at = 0;
    let length = needed.iter().map(|name| name.len() as u64 + 1).sum();
    let mut entries = vec![(5, strings), (10, length)];
    for name in needed {
        entries.push((1, at));
        at += name.len() as u64 + 1;
    }
    entries.push((0, 0));
    for (tag, value) in entries {
        file.extend(
            [tag, value]
                .iter()
                .flat_map(|field: &u64| field.to_le_bytes()),
        );
    }
    file.extend(needed.iter().flat_map(|name| name.bytes().chain([0])));
    file
}
