//! What the checks look at, read once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use super::{
    Board, Kind, RootOn, Stat, Tree, Wanted,
    cpio::{self, Archive, Fault},
    kernel::{self, Kernel},
    load::Load,
    tree::at,
};

/// The most that is read of a text, in bytes.
pub const MAX_TEXT: u64 = 1 << 20;
/// How many folders of modules are looked at.
const MAX_RELEASES: usize = 64;

/// A tree, with its errors naming the file.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The tree.
    pub tree: &'a dyn Tree,
}

impl Place<'_> {
    /// A text; `None` if there is no such file.
    pub fn text(self, path: &str) -> io::Result<Option<String>> {
        let bytes = self.tree.read(Path::new(path), MAX_TEXT);
        let bytes = bytes.map_err(|error| at(path, &error))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// What a path leads to.
    pub fn stat(self, path: &str) -> io::Result<Option<Stat>> {
        let stat = self.tree.stat(Path::new(path));
        stat.map_err(|error| at(path, &error))
    }

    /// Whether it leads to a file.
    pub fn is_file(self, path: &str) -> io::Result<bool> {
        Ok(self.stat(path)?.is_some_and(|stat| stat.kind == Kind::File))
    }

    /// The names in a folder.
    pub fn list(self, path: &str, limit: usize) -> io::Result<Vec<String>> {
        let names = self.tree.list(Path::new(path), limit);
        names.map_err(|error| at(path, &error))
    }
}

/// An initramfs, by the paths of its parts.
pub type Initramfs = Result<Archive, Fault>;

/// All of it.
pub struct Seen<'a> {
    /// The folder that the firmware boots from.
    pub boot: Place<'a>,
    /// The root file system.
    root: Option<Place<'a>>,
    /// What is to boot.
    pub wanted: &'a Wanted,
    /// What each board loads.
    pub loads: Vec<Load>,
    kernels: BTreeMap<String, Kernel>,
    initramfs: BTreeMap<String, Initramfs>,
}

impl<'a> Seen<'a> {
    /// Reads what several checks look at.
    ///
    /// # Errors
    /// Those of the trees.
    pub fn new(
        boot: &'a dyn Tree,
        root: Option<&'a dyn Tree>,
        wanted: &'a Wanted,
    ) -> io::Result<Self> {
        let boards: Vec<Board> = wanted.boards().to_vec();
        let loads: io::Result<Vec<Load>> = boards
            .into_iter()
            .map(|board| Load::of(boot, board, wanted))
            .collect();
        let mut seen = Seen {
            boot: Place { tree: boot },
            root: root.map(|tree| Place { tree }),
            wanted,
            loads: loads?,
            kernels: BTreeMap::new(),
            initramfs: BTreeMap::new(),
        };
        seen.read_kernels()?;
        seen.read_initramfs()?;
        Ok(seen)
    }

    fn read_kernels(&mut self) -> io::Result<()> {
        let paths = self.loads.iter().map(|load| load.kernel.path.clone());
        for path in paths.collect::<BTreeSet<_>>() {
            if let Some(kernel) = kernel::read(self.boot.tree, &path)? {
                self.kernels.insert(path, kernel);
            }
        }
        Ok(())
    }

    fn read_initramfs(&mut self) -> io::Result<()> {
        for load in &self.loads {
            let key = key(load);
            let is_there = load.initramfs.iter().all(|file| file.size.is_some());
            if load.initramfs.is_empty() || !is_there || self.initramfs.contains_key(&key) {
                continue;
            }
            let mut bytes = Vec::new();
            for file in &load.initramfs {
                let left = cpio::MAX_PACKED - bytes.len() as u64;
                let part = self.boot.tree.read(Path::new(&file.path), left);
                let part = part.map_err(|error| at(&file.path, &error))?;
                bytes.extend(part.unwrap_or_default());
            }
            let archive = cpio::read(&bytes, cpio::LIMITS, &is_kept);
            self.initramfs.insert(key, archive);
        }
        Ok(())
    }

    /// The root file system.
    ///
    /// # Errors
    /// Without one: its checks cannot know anything.
    pub fn root(&self) -> io::Result<Place<'a>> {
        let error = || io::Error::other("the root file system is not at hand");
        self.root.ok_or_else(error)
    }

    /// The kernel that a board loads, if it is there.
    pub fn kernel(&self, load: &Load) -> Option<&Kernel> {
        self.kernels.get(&load.kernel.path)
    }

    /// The initramfs that a board loads, if all of it is there.
    pub fn initramfs(&self, load: &Load) -> Option<&Initramfs> {
        self.initramfs.get(&key(load))
    }

    /// The initramfs, if it could be read.
    pub fn archive(&self, load: &Load) -> Option<&Archive> {
        self.initramfs(load)?.as_ref().ok()
    }

    /// The kernel's command line for a board: the words of the file's first line.
    pub fn cmdline(&self, load: &Load) -> io::Result<Option<String>> {
        let text = self.boot.text(&load.cmdline.path)?;
        Ok(text.map(|text| text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The releases that the root has modules for.
    pub fn releases(&self) -> io::Result<Vec<String>> {
        let root = self.root()?;
        let mut found = root.list("lib/modules", MAX_RELEASES)?;
        found.retain(|name| kernel::is_release(name));
        Ok(found)
    }

    /// Whether the root is on a device or a server that is not read here.
    pub fn is_nfs(&self) -> bool {
        matches!(self.wanted.root, RootOn::Nfs { .. })
    }
}

/// What tells one initramfs from another.
fn key(load: &Load) -> String {
    let paths: Vec<&str> = load
        .initramfs
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    paths.join(",")
}

/// The files of an initramfs whose content matters.
fn is_kept(path: &str) -> bool {
    let is_ours = ["etc/rbdroot.conf", "etc/rbdroot.key", "scripts/nfs"].contains(&path);
    is_ours || path.starts_with("lib/modules/") && path.ends_with("/modules.builtin")
}
