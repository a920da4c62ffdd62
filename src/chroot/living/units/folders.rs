//! The folders of unit files, as they are at this moment.

use std::{
    cell::{Cell, OnceCell},
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use nix::{
    fcntl::{OFlag, readlinkat},
    sys::stat::Mode,
};

use super::{
    name::{self, Kind},
    scope::Scope,
};
use crate::sys::inroot::{Root, path_of};

/// A folder has at most so many files; a distribution's has a few hundred.
const MAX_FILES: usize = 8000;
/// A file has at most so many bytes, and all together.
const MAX_BYTES: u64 = 1 << 20;
const MAX_ALL: u64 = 64 << 20;
/// Aliases of aliases end somewhere.
const MAX_ALIASES: usize = 8;

/// All of one manager.
#[derive(Debug)]
pub struct Folders<'a> {
    root: &'a Root,
    folders: Vec<Folder>,
    aliases: OnceCell<BTreeMap<String, Vec<String>>>,
    /// How much more is read.
    rest: Cell<u64>,
}

#[derive(Debug)]
struct Folder {
    path: String,
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
enum File {
    Plain,
    Folder,
    Link(String),
}

/// What there is for a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A file, maybe a template's.
    File(String),
    /// A link to nothing: the unit cannot be started.
    Masked(String),
    /// No file.
    Nothing,
}

impl<'a> Folders<'a> {
    /// Lists those that there are.
    pub fn list(root: &'a Root, scope: &Scope) -> Self {
        let mut paths = scope.folders();
        // A /lib that is /usr/lib has the name that systemd itself is known by.
        let (lib, usr) = ("/lib/systemd/system", "/usr/lib/systemd/system");
        if let Some(init) = link(root, "/sbin/init").filter(|_| link(root, "/lib").is_some()) {
            let unused = if init.starts_with("/lib/") { usr } else { lib };
            paths.retain(|path| path != unused);
        }
        let folders = paths.into_iter().filter_map(|path| {
            let files = files(root, &path)?;
            Some(Folder { path, files })
        });
        Folders {
            root,
            folders: folders.collect(),
            aliases: OnceCell::new(),
            rest: Cell::new(MAX_ALL),
        }
    }

    /// What `name` leads to, and the name that the unit really has, by its aliases.
    pub fn find(&self, name: &str) -> (String, Found) {
        let mut name = name.to_owned();
        for _ in 0..MAX_ALIASES {
            match self.step(&name) {
                Ok(found) => return (name, found),
                Err(other) => name = other,
            }
        }
        (name, Found::Nothing)
    }

    /// Another name is an error.
    fn step(&self, name: &str) -> Result<Found, String> {
        let found = self.named(name)?;
        let (Found::Nothing, Some((template, instance))) = (&found, name::template(name)) else {
            return Ok(found);
        };
        if instance.is_empty() {
            return Ok(found);
        }
        self.named(&template)
            .map_err(|other| other.replacen("@.", &format!("@{instance}."), 1))
    }

    fn named(&self, name: &str) -> Result<Found, String> {
        for folder in &self.folders {
            let path = format!("{}/{name}", folder.path);
            match folder.files.get(name) {
                Some(File::Link(to)) if to == "/dev/null" => return Ok(Found::Masked(path)),
                Some(File::Link(to)) => {
                    if let Some(other) = self.alias(name, to) {
                        return Err(other);
                    }
                    if self.root.is_file(path.as_ref()) {
                        return Ok(Found::File(path));
                    }
                }
                Some(File::Plain) => return Ok(Found::File(path)),
                Some(File::Folder) | None => {}
            }
        }
        Ok(Found::Nothing)
    }

    /// The other name that a link from `name` gives, if it leads to another unit.
    fn alias(&self, name: &str, to: &str) -> Option<String> {
        let other = Path::new(to).file_name()?.to_str()?;
        let known = || self.folders.iter().any(|f| f.files.contains_key(other));
        if other == name || !name::is_valid(other) || Kind::of(other) != Kind::of(name) || !known()
        {
            return None;
        }
        match (name::template(name), name::is_template(other)) {
            (Some((template, _)), true) if template == other => None,
            (Some((_, instance)), true) if !instance.is_empty() => {
                Some(other.replacen("@.", &format!("@{instance}."), 1))
            }
            _ => Some(other.to_owned()),
        }
    }

    /// The other names of the unit `id`.
    pub fn aliases(&self, id: &str) -> &[String] {
        let all = self.aliases.get_or_init(|| {
            let files = self.folders.iter().flat_map(|folder| &folder.files);
            let links =
                files.filter(|(name, file)| matches!(file, File::Link(_)) && name::is_valid(name));
            let names: BTreeSet<&String> = links.map(|(name, _)| name).collect();
            let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for name in names {
                let (id, _) = self.find(name);
                if id != *name {
                    all.entry(id).or_default().push(name.clone());
                }
            }
            all
        });
        all.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of all units that have a file, links included.
    pub fn names(&self) -> BTreeSet<String> {
        let files = self.folders.iter().flat_map(|folder| &folder.files);
        let units =
            files.filter(|(name, file)| !matches!(file, File::Folder) && name::is_valid(name));
        units.map(|(name, _)| name.clone()).collect()
    }

    /// Everything in the folders `name`, such as `x.service.d`, each with its path: where several have a file of the same
    /// name, only the first.
    pub fn beside(&self, name: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for folder in &self.folders {
            if matches!(folder.files.get(name), Some(File::Folder | File::Link(_))) {
                let path = format!("{}/{name}", folder.path);
                for file in files(self.root, &path).unwrap_or_default().into_keys() {
                    let path = format!("{path}/{file}");
                    found.entry(file).or_insert(path);
                }
            }
        }
        found
    }

    /// The folders such as `x.target.wants` with a link that `is` takes by its name: what enables a unit.
    pub fn with_link(&self, is: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let ends = [".wants", ".requires", ".upholds"];
            let below = folder.files.iter().filter(|(name, file)| {
                matches!(file, File::Folder) && ends.iter().any(|end| name.ends_with(end))
            });
            for (name, _) in below {
                let path = format!("{}/{name}", folder.path);
                let files = files(self.root, &path).unwrap_or_default();
                if files
                    .iter()
                    .any(|(name, file)| matches!(file, File::Link(_)) && is(name))
                {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The folder with the link that is the alias `name`.
    pub fn of_alias(&self, name: &str) -> Option<&str> {
        let mut folders = self.folders.iter();
        let found = folders.find(|f| matches!(f.files.get(name), Some(File::Link(_))));
        found.map(|folder| &*folder.path)
    }

    /// The text of a file; a link to nothing has none.
    pub fn text(&self, path: &str) -> String {
        let most = MAX_BYTES.min(self.rest.get());
        let text = self.root.read(path.as_ref(), most).unwrap_or_default();
        self.rest
            .set(self.rest.get().saturating_sub(text.len() as u64));
        text
    }
}

/// Where the link at `path` leads; the folders above it are followed.
pub fn link(root: &Root, path: &str) -> Option<String> {
    let path = Path::new(path);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let folder = root.open_at(path.parent()?, flags, Mode::empty()).ok()?;
    let to = readlinkat(&folder, path.file_name()?).ok()?;
    to.into_string().ok()
}

fn files(root: &Root, path: &str) -> Option<BTreeMap<String, File>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let folder = root.open_at(path.as_ref(), flags, Mode::empty()).ok()?;
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path_of(&folder)).ok()?.take(MAX_FILES) {
        let Ok(entry) = entry else { break };
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let file = match entry.file_type() {
            Ok(kind) if kind.is_file() => File::Plain,
            Ok(kind) if kind.is_dir() => File::Folder,
            Ok(kind) if kind.is_symlink() => {
                match readlinkat(&folder, &*name).map(|to| to.into_string()) {
                    Ok(Ok(to)) => File::Link(to),
                    _ => continue,
                }
            }
            _ => continue,
        };
        files.insert(name, file);
    }
    Some(files)
}
