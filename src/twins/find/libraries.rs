//! The shared libraries that twins need, all in the image's versions.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    builds::{Builds, Wanted},
    installed::Installed,
    port::Port,
    stamp::Stamp,
};
use crate::{
    elf::{Dynamic, read_dynamic},
    error::Result,
    sys::inroot::Root,
};

/// The longest nsswitch.conf that is read.
const MAX_NSSWITCH: u64 = 1 << 20;

/// A program or library on the host, and what it says of itself.
type Object = (PathBuf, Rc<Dynamic>);

/// Finds libraries by name.
pub struct Libraries<'a> {
    image: &'a Installed<'a>,
    builds: &'a Builds<'a>,
    /// The packages of the image that have a library of a name.
    owners: &'a BTreeMap<String, String>,
    /// The host's port: its loader has another name than the image's.
    port: Port,
    known: RefCell<BTreeMap<String, Result<Object, String>>>,
}

impl<'a> Libraries<'a> {
    /// For programs of `image`, whose libraries are `owners`.
    pub fn new(
        image: &'a Installed<'a>,
        owners: &'a BTreeMap<String, String>,
        builds: &'a Builds<'a>,
        port: Port,
    ) -> Self {
        Libraries {
            image,
            builds,
            owners,
            port,
            known: RefCell::default(),
        }
    }

    /// All libraries that the program at `path` needs, and those in `opens`, by name.
    ///
    /// # Errors
    /// The first that cannot be had, and why.
    pub fn of_program<'n>(
        &self,
        path: &Path,
        opens: impl Iterator<Item = &'n str>,
    ) -> Result<BTreeMap<String, PathBuf>, String> {
        let dynamic = dynamic(path)?;
        let opens = opens.filter(|name| self.owners.contains_key(*name));
        let names = opens
            .map(str::to_owned)
            .chain(dynamic.needed.iter().cloned());
        let closure = self.closure(names.collect());
        // Only now, when all that is missing has been asked for.
        self.check_versions(path, &dynamic)?;
        closure
    }

    /// The library `name` and all that it needs, by name.
    ///
    /// # Errors
    /// The first that cannot be had, and why.
    pub fn with_needed(&self, name: &str) -> Result<BTreeMap<String, PathBuf>, String> {
        self.closure(vec![name.to_owned()])
    }

    fn closure(&self, mut open: Vec<String>) -> Result<BTreeMap<String, PathBuf>, String> {
        let mut done = BTreeMap::new();
        let mut failed = None;
        while let Some(name) = open.pop() {
            if done.contains_key(&name) {
                continue;
            }
            match self.library(&name) {
                Ok((path, dynamic)) => {
                    open.extend(dynamic.needed.iter().cloned());
                    if let Err(why) = self.check_versions(&path, &dynamic) {
                        failed = failed.or(Some(why));
                    }
                    done.insert(name, path);
                }
                // On with the others, so that all that is missing is asked for at once.
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    /// Whether the libraries have every version of a symbol that is taken from them: a rebuild, or
    /// the same version in a newer release, may want a newer libc than the image's.
    fn check_versions(&self, path: &Path, dynamic: &Dynamic) -> Result<(), String> {
        for (name, version) in &dynamic.takes {
            if !self.library(name)?.1.gives.contains(version) {
                return Err(format!("{} wants {version} of {name}", path.display()));
            }
        }
        Ok(())
    }

    fn library(&self, name: &str) -> Result<Object, String> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let found = self.find(name);
        self.known
            .borrow_mut()
            .insert(name.to_owned(), found.clone());
        found
    }

    fn find(&self, name: &str) -> Result<Object, String> {
        let here = if name == self.port.loader {
            self.image.port.loader
        } else {
            name
        };
        let owner = self.owners.get(here);
        let package = owner.and_then(|o| Some((o, self.image.package(o)?)));
        let Some((owner, package)) = package else {
            return Err(format!("no package of the image has {name}"));
        };
        if self.image.has_local_library(here) || self.image.intact_library(owner, here).is_none() {
            return Err(format!("the image's {here} is not that of {owner}"));
        }
        let of: Wanted = (owner.clone(), package.version.clone());
        let path = self.builds.library(&of, name)?;
        let dynamic = dynamic(&path)?;
        Ok((path, Rc::new(dynamic)))
    }
}

fn dynamic(path: &Path) -> Result<Dynamic, String> {
    let read = File::open(path).and_then(|mut file| read_dynamic(&mut file));
    match read {
        Ok(Some(dynamic)) if dynamic.needed.iter().all(|name| !name.contains('/')) => Ok(dynamic),
        _ => Err(format!(
            "{} is no usable program or library",
            path.display()
        )),
    }
}

/// The modules that the image's nsswitch.conf names, as libraries: programs that look up users,
/// such as `ls -l` and `chown`, load them by name. And that file's stamp, of before it was read.
pub fn name_services(root: &Root) -> (BTreeSet<String>, Option<Stamp>) {
    let path = Path::new("etc/nsswitch.conf");
    let stamp = root.file(path).and_then(|file| file.metadata());
    let stamp = stamp.ok().map(Stamp::from);
    let text = root.read(path, MAX_NSSWITCH);
    let text = text.unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let (_, services) = line.split('#').next()?.split_once(':')?;
        Some(services)
    });
    let usual = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let modules = lines
        .flat_map(|services| services.split_whitespace().filter(usual))
        .map(|service| format!("libnss_{service}.so.2"));
    (modules.collect(), stamp)
}
