//! What dpkg says is installed below a root: an image's, hostile, or the host's own.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    port::{Port, ports},
    verified::Verified,
};
use crate::{
    emulation::arch::Arch,
    sys::{
        file::has_capabilities,
        inroot::{Root, path_of},
    },
};

/// The longest status file that is read; a desktop's has about 5 MB.
const MAX_STATUS: u64 = 64 << 20;
/// The longest list of a package's files that is read; the largest packages have about 2 MB.
const MAX_LIST: u64 = 16 << 20;
/// The most packages that are looked at.
const MAX_PACKAGES: usize = 50_000;

/// Paths as a package lists them, and the MD5 of their files in hexadecimal.
type Sums = BTreeMap<String, String>;

/// An installed package of the native architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// `Multi-Arch: same`, as every package with shared libraries is.
    same: bool,
}

/// A file of a package that is on the disk as the package brought it.
#[derive(Debug, PartialEq, Eq)]
pub struct Intact {
    /// Where it is below the root, all links resolved.
    pub path: PathBuf,
    /// Neither setuid nor setgid, and without file capabilities.
    pub plain: bool,
    /// The very file, and that it is unchanged.
    pub id: FileId,
}

/// A file as it was: any change of it is another `changed`, any other file another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    /// Its inode number.
    pub inode: u64,
    /// Its device.
    pub device: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its time of change (ctime), in seconds and nanoseconds.
    pub changed: [i64; 2],
}

/// The packages below a root.
#[derive(Debug)]
pub struct Installed<'a> {
    root: &'a Root,
    /// The root's own path, as the kernel gives it.
    top: PathBuf,
    /// What is native there.
    pub port: Port,
    packages: BTreeMap<String, Package>,
    verified: &'a Verified,
    /// Checksums of packages, read once.
    sums: RefCell<BTreeMap<String, Rc<Sums>>>,
}

impl<'a> Installed<'a> {
    /// Reads the database below `root`; `None` where there is none for `arch`.
    pub fn read(root: &'a Root, arch: Arch, verified: &'a Verified) -> Option<Self> {
        let text = root.read("var/lib/dpkg/status".as_ref(), MAX_STATUS).ok()?;
        // dpkg is of the native architecture; there may be packages of others.
        let native = paragraphs(&text).find(|p| field(p, "Package") == Some("dpkg"))?;
        let native = field(native, "Architecture")?;
        let port = *ports(arch).iter().find(|port| port.name == native)?;
        let packages = paragraphs(&text)
            .take(MAX_PACKAGES)
            .filter_map(|paragraph| package(paragraph, port.name))
            .collect();
        let top = fs::read_link(path_of(&root.locate(".".as_ref()).ok()?)).ok()?;
        Some(Installed {
            root,
            top,
            port,
            packages,
            verified,
            sums: RefCell::default(),
        })
    }

    /// The installed package `name`.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }

    /// All packages, by name.
    pub fn packages(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.packages.iter()
    }

    /// The paths that `package` brought, absolute.
    pub fn list(&self, package: &str) -> Vec<String> {
        self.info(package, "list")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// The regular files that `package` brought, and their checksums.
    pub fn sums(&self, package: &str) -> Rc<Sums> {
        let mut all = self.sums.borrow_mut();
        let read = || {
            let text = self.info(package, "md5sums");
            let lines = text.lines().filter_map(|line| line.split_once("  "));
            let sums = lines.map(|(sum, path)| (path.to_owned(), sum.to_owned()));
            Rc::new(sums.collect())
        };
        all.entry(package.to_owned()).or_insert_with(read).clone()
    }

    /// The shared libraries, and the links to them, by file name; with their packages.
    pub fn libraries(&self) -> BTreeMap<String, String> {
        let folders = ["/lib/", "/usr/lib/"].map(|top| format!("{top}{}/", self.port.triplet));
        let mut libraries = BTreeMap::new();
        for (name, _) in self.packages.iter().filter(|(_, package)| package.same) {
            for path in self.info(name, "list").lines() {
                let file = folders.iter().find_map(|f| path.strip_prefix(f.as_str()));
                if let Some(file) = file.filter(|f| !f.contains('/') && f.contains(".so")) {
                    libraries.insert(file.to_owned(), name.clone());
                }
            }
        }
        libraries
    }

    /// The file that `package` lists as `path`, if its content is still what that brought.
    pub fn intact(&self, package: &str, path: &str) -> Option<(Intact, File)> {
        let file = self.root.file(Path::new(path)).ok()?;
        let metadata = file.metadata().ok()?;
        if !self.verified.is(&file, self.sums(package).get(path)?) {
            return None;
        }
        let privileged = metadata.mode() & 0o6000 != 0 || has_capabilities(&file);
        let intact = Intact {
            path: self.real_path(&file)?,
            plain: !privileged,
            // From before it was read.
            id: FileId {
                inode: metadata.ino(),
                device: metadata.dev(),
                size: metadata.len(),
                changed: [metadata.ctime(), metadata.ctime_nsec()],
            },
        };
        Some((intact, file))
    }

    /// Where the shared library `name` is below the root, by the name that the loader looks for,
    /// which may be a link; if what it leads to is still what `package` brought.
    pub fn intact_library(&self, package: &str, name: &str) -> Option<PathBuf> {
        let folders = ["lib", "usr/lib"].map(|top| format!("{top}/{}", self.port.triplet));
        let find = |folder: &String| {
            let file = self.root.file(&Path::new(folder).join(name)).ok()?;
            self.real_path(&file)
        };
        let real = folders.iter().find_map(find)?;
        let file = real.file_name()?.to_str()?;
        // The package may list it without the /usr that the links of / lead to.
        let mut listed = folders.iter().map(|folder| format!("{folder}/{file}"));
        listed.find_map(|path| self.intact(package, &path))?;
        Some(real.with_file_name(name))
    }

    /// Whether there is a library of this name where the loader looks before the packages' folders.
    pub fn has_local_library(&self, name: &str) -> bool {
        self.has_below("usr/local/lib", name)
    }

    /// Whether there is a library of this name, whoever brought it.
    pub fn has_library(&self, name: &str) -> bool {
        let tops = ["usr/local/lib", "usr/lib", "lib"];
        tops.iter().any(|top| self.has_below(top, name))
    }

    fn has_below(&self, top: &str, name: &str) -> bool {
        let folders = ["", self.port.triplet].map(|folder| Path::new(top).join(folder));
        let mut paths = folders.iter().map(|folder| folder.join(name));
        paths.any(|path| self.root.locate(&path).is_ok())
    }

    /// The path on this host of what is at `path` below the root.
    pub fn on_host(&self, path: &Path) -> PathBuf {
        self.top.join(path)
    }

    fn real_path(&self, file: &File) -> Option<PathBuf> {
        let path = fs::read_link(path_of(file)).ok()?;
        Some(path.strip_prefix(&self.top).ok()?.to_owned())
    }

    /// The file of `kind` that dpkg keeps about `package`; empty without one.
    fn info(&self, package: &str, kind: &str) -> String {
        let same = self.packages.get(package).is_some_and(|p| p.same);
        let arch = if same {
            format!(":{}", self.port.name)
        } else {
            String::new()
        };
        let path = format!("var/lib/dpkg/info/{package}{arch}.{kind}");
        self.root.read(path.as_ref(), MAX_LIST).unwrap_or_default()
    }
}

/// The paragraphs of a control file.
pub fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").filter(|p| !p.trim().is_empty())
}

/// The value of a field, where it has one on its line.
pub fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    paragraph.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The package of a paragraph, if it is installed and of the architecture `native`.
fn package(paragraph: &str, native: &str) -> Option<(String, Package)> {
    let name = field(paragraph, "Package").filter(|name| is_name(name))?;
    let version = field(paragraph, "Version").filter(|version| is_version(version))?;
    let installed = field(paragraph, "Status")?.ends_with(" installed");
    let ours = field(paragraph, "Architecture") == Some(native);
    (installed && ours).then(|| {
        let package = Package {
            version: version.to_owned(),
            same: field(paragraph, "Multi-Arch") == Some("same"),
        };
        (name.to_owned(), package)
    })
}

/// Whether this can be a package's name: it becomes a part of paths and of command lines.
fn is_name(name: &str) -> bool {
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    name.len() <= 200
        && name.bytes().all(usual)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether this can be a version.
fn is_version(version: &str) -> bool {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"+-.:~".contains(&b);
    !version.is_empty() && version.len() <= 200 && version.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::testing::Tree;
    use super::*;

    fn tree() -> Tree {
        let tree = Tree::new("arm64");
        tree.package("dash", "0.5.12-2", "");
        tree.file("dash", "usr/bin/dash", b"program");
        tree.package("zlib1g:arm64", "1:1.2-1", "Multi-Arch: same\n");
        tree.file(
            "zlib1g:arm64",
            "usr/lib/aarch64-linux-gnu/libz.so.1.2",
            b"z",
        );
        tree
    }

    #[test]
    fn packages_are_those_installed_for_the_native_architecture() {
        let tree = tree();
        tree.status(
            "Package: half\nStatus: install ok unpacked\nVersion: 1\nArchitecture: arm64\n",
        );
        tree.status(
            "Package: other\nStatus: install ok installed\nVersion: 1\nArchitecture: armhf\n",
        );
        tree.status(
            "Package: ../x\nStatus: install ok installed\nVersion: 1\nArchitecture: arm64\n",
        );
        let root = tree.root();
        let verified = Verified::read("/nonexistent".as_ref());
        assert!(Installed::read(&root, Arch::Arm, &verified).is_none());
        let installed = Installed::read(&root, Arch::Aarch64, &verified).unwrap();
        assert_eq!(installed.package("dash").unwrap().version, "0.5.12-2");
        for none in ["half", "other", "../x"] {
            assert_eq!(installed.package(none), None);
        }
        let libraries = installed.libraries();
        assert_eq!(libraries["libz.so.1.2"], "zlib1g");
    }

    #[test]
    fn a_file_that_was_changed_is_not_the_packages() {
        let tree = tree();
        let root = tree.root();
        let verified = Verified::read("/nonexistent".as_ref());
        let installed = Installed::read(&root, Arch::Aarch64, &verified).unwrap();
        let path = "usr/bin/dash";
        let (intact, _) = installed.intact("dash", path).unwrap();
        assert_eq!(intact.path, Path::new(path));
        assert!(intact.plain && installed.intact("dash", "bin/dash").is_none());
        fs::set_permissions(tree.path(path), fs::Permissions::from_mode(0o4755)).unwrap();
        assert!(!installed.intact("dash", path).unwrap().0.plain);
        fs::write(tree.path(path), "changed").unwrap();
        assert!(installed.intact("dash", path).is_none());
    }

    #[test]
    fn a_library_is_found_by_the_name_of_its_link() {
        let tree = tree();
        let folder = tree.path("usr/lib/aarch64-linux-gnu");
        symlink("libz.so.1.2", folder.join("libz.so.1")).unwrap();
        symlink("usr/lib", tree.path("lib")).unwrap();
        let root = tree.root();
        let verified = Verified::read("/nonexistent".as_ref());
        let installed = Installed::read(&root, Arch::Aarch64, &verified).unwrap();
        let path = "usr/lib/aarch64-linux-gnu/libz.so.1";
        let found = |name| installed.intact_library("zlib1g", name);
        assert_eq!(found("libz.so.1").unwrap(), Path::new(path));
        assert_eq!(found("libc.so.6"), None);
        fs::write(folder.join("libz.so.1.2"), "changed").unwrap();
        assert_eq!(found("libz.so.1"), None);
    }
}
