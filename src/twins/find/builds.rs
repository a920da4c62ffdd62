//! Where the host-architecture build of a package is: on the host, or in the store.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{
    apt::Apt,
    installed::Installed,
    port::{Port, same_version},
    search::Search,
    sources::Sources,
    store::{Index, Store},
};
use crate::{
    error::{Error, Result},
    event::Event,
};

/// For how long the sources are not asked again for what they did not have, in seconds.
const PAUSE: u64 = 3600;

/// For how long they are left alone after they could not be reached.
const PAUSE_AFTER_FAILURE: u64 = 300;

/// A package and its version in the image.
pub type Wanted = (String, String);

/// All builds at hand, and what was asked for and is not.
pub struct Builds<'a> {
    host: Option<Installed<'a>>,
    port: Port,
    store: Store,
    sources: Sources,
    fingerprint: String,
    index: Index,
    wanted: RefCell<BTreeSet<Wanted>>,
    /// What this run has asked for already.
    tried: BTreeSet<Wanted>,
    scratch: PathBuf,
}

impl<'a> Builds<'a> {
    /// Those of `host`, if it has packages, and those in the store that the image's own sources gave.
    pub fn new(search: &Search, port: Port, host: Option<Installed<'a>>, store: Store) -> Self {
        let sources = Sources::read(search.root);
        let fingerprint = sources.fingerprint(port.name);
        Builds {
            host,
            port,
            index: store.index(&fingerprint),
            store,
            sources,
            fingerprint,
            wanted: RefCell::default(),
            tried: BTreeSet::new(),
            scratch: search.scratch.to_owned(),
        }
    }

    /// The program that the package lists as `path`.
    ///
    /// # Errors
    /// Why there is none, in a few words.
    pub fn program(&self, of: &Wanted, path: &str) -> Result<PathBuf, String> {
        if let Some(host) = self.on_host(of) {
            let intact = host.intact(&of.0, path).filter(|(intact, _)| intact.plain);
            return intact
                .map(|(intact, _)| host.on_host(&intact.path))
                .ok_or_else(|| format!("the host's /{path} is not as its package brought it"));
        }
        let file = self.stored(of)?.join(path);
        let there = file.is_file();
        there
            .then_some(file)
            .ok_or_else(|| format!("its build for the host has no {path}"))
    }

    /// The shared library `name` of the package.
    ///
    /// # Errors
    /// Why there is none, in a few words.
    pub fn library(&self, of: &Wanted, name: &str) -> Result<PathBuf, String> {
        if let Some(host) = self.on_host(of) {
            return host
                .intact_library(&of.0, name)
                .map(|path| host.on_host(&path))
                .ok_or_else(|| format!("the host's {name} is not as its package brought it"));
        }
        let folders = ["usr/lib", "lib"].map(|top| Path::new(top).join(self.port.triplet));
        let stored = self.stored(of)?;
        let mut files = folders.iter().map(|f| stored.join(f).join(name));
        files
            .find(|file| file.is_file())
            .ok_or_else(|| format!("{} for the host has no {name}", of.0))
    }

    /// The regular files of the package below `folder`, by path from there.
    ///
    /// # Errors
    /// Why they are not at hand, in a few words.
    pub fn folder(&self, of: &Wanted, folder: &str) -> Result<BTreeMap<String, PathBuf>, String> {
        if let Some(host) = self.on_host(of) {
            let sums = host.sums(&of.0);
            let below = sums
                .keys()
                .filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'))
                .map(str::to_owned);
            let intact = below.map(|path| {
                let whole = format!("{folder}/{path}");
                let file = host.intact(&of.0, &whole);
                let changed = || format!("the host's /{whole} is not as its package brought it");
                let (file, _) = file.ok_or_else(changed)?;
                Ok((path, Path::new("/").join(file.path)))
            });
            return intact.collect();
        }
        let top = self.stored(of)?.join(folder);
        let mut files = BTreeMap::new();
        let mut open = vec![String::new()];
        while let Some(within) = open.pop() {
            // It may have none: all that is kept are programs, libraries and modules.
            for entry in fs::read_dir(top.join(&within))
                .into_iter()
                .flatten()
                .flatten()
            {
                let path = Path::new(&within).join(entry.file_name());
                let path = path.to_string_lossy().into_owned();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(path),
                    Ok(kind) if kind.is_file() => drop(files.insert(path, entry.path())),
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    /// The host's packages, if that one is among them.
    fn on_host(&self, (package, version): &Wanted) -> Option<&Installed<'a>> {
        let host = self.host.as_ref()?;
        let theirs = host.package(package)?;
        same_version(&theirs.version, version).then_some(host)
    }

    fn stored(&self, of: &Wanted) -> Result<PathBuf, String> {
        let known = self.index.debs.get(&key(of));
        if let Some(found) = known.and_then(|sha256| self.store.get(sha256.as_ref()?)) {
            return Ok(found);
        }
        // What they did not have may come, or they may have lost it for good.
        if !matches!(known, Some(None)) || now().saturating_sub(self.index.asked) > PAUSE {
            self.wanted.borrow_mut().insert(of.clone());
        }
        let (package, version) = of;
        Err(format!("no {package} {version} for {}", self.port.name))
    }

    /// Fetches what was asked for in vain since the last time; whether there was anything.
    ///
    /// # Errors
    /// When the sources could not be asked.
    pub fn fetch(&mut self, apt: &mut Option<Apt>, report: &dyn Fn(Event)) -> Result<bool> {
        let mut wanted = self.wanted.take();
        wanted.retain(|of| !self.tried.contains(of));
        self.tried.extend(wanted.iter().cloned());
        if wanted.is_empty() || self.sources.is_empty() {
            return Ok(false);
        }
        let _lock = self.store.lock()?;
        // Somebody else may have fetched it while we waited.
        self.index = self.store.index(&self.fingerprint);
        wanted.retain(|of| self.stored(of).is_err());
        self.wanted.take();
        if wanted.is_empty() {
            return Ok(true);
        }
        if apt.is_none() {
            *apt = Some(self.open(report)?);
        }
        if let Some(apt) = apt {
            self.ask(apt, &wanted, report)?;
        }
        Ok(true)
    }

    /// An apt for the sources; for a while none when they could not be reached, so that a run
    /// without a network does not wait for it each time.
    fn open(&mut self, report: &dyn Fn(Event)) -> Result<Apt> {
        if now().saturating_sub(self.index.failed) < PAUSE_AFTER_FAILURE {
            return Err(Error::host("the sources could not be reached a moment ago"));
        }
        report(Event::AskingForTwins);
        let apt = Apt::new(&self.sources, self.port.name, &self.scratch);
        let complete = apt.as_ref().is_ok_and(|apt| apt.complete);
        self.index.failed = if complete { 0 } else { now() };
        self.store.set_index(&self.fingerprint, &self.index)?;
        apt
    }

    fn ask(&mut self, apt: &Apt, wanted: &BTreeSet<Wanted>, report: &dyn Fn(Event)) -> Result<()> {
        let names = wanted.iter().map(|(package, _)| package.clone()).collect();
        let offers = apt.offers(&names)?;
        let mut chosen = Vec::new();
        for of in wanted {
            let mut of_package = offers.iter().filter(|o| o.package == of.0);
            let exact = of_package.clone().find(|o| o.version == of.1);
            let offer = exact.or_else(|| of_package.find(|o| same_version(&o.version, &of.1)));
            let sum = offer.map(|o| o.sha256.clone());
            if sum.is_some() || apt.complete {
                self.index.debs.insert(key(of), sum);
            }
            chosen.extend(
                offer
                    .filter(|o| self.store.get(&o.sha256).is_none())
                    .cloned(),
            );
        }
        if !chosen.is_empty() {
            let (count, arch) = (chosen.len(), self.port.name);
            report(Event::FetchingTwins {
                packages: count,
                architecture: arch.to_string(),
            });
            let files = apt.download(&chosen)?;
            let sums = chosen.iter().map(|offer| offer.sha256.as_str()).collect();
            self.store.add(&files, &sums, self.port.triplet, report)?;
        }
        self.index.asked = now();
        self.store.set_index(&self.fingerprint, &self.index)
    }
}

fn key((package, version): &Wanted) -> String {
    format!("{package}={version}")
}

fn now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}
