//! What perl's twin needs beside libraries: the modules that are built for a processor.
//!
//! Debian's perl looks for modules in folders named after its architecture, which an ARM image has only its own of.
//! The twin is led, by options, through the same folders in the same order, with a copy of those three in
//! which every shared object is of the host's build, and everything else the image's own: also what says what perl was
//! built for. It is right for modules as they were; each of their folders is therefore a guard.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{
    builds::{Builds, Wanted},
    installed::Installed,
    libraries::Libraries,
    stamp::Stamp,
};
use crate::sys::inroot::{Root, path_of};

/// The most folders and files that are looked at; perl and all that Debian's tools use of it has a few hundred.
const MOST: usize = 5000;

/// What shared objects end with.
const OBJECT: &str = ".so";
/// And C headers made Perl, with the numbers of system calls.
const HEADER: &str = ".ph";

/// The module that asks the kernel what it is.
const POSIX: &str = "POSIX.pm";
/// The longest one that is read.
const MAX_POSIX: u64 = 1 << 20;
/// Where it loads its shared object.
const LOAD: &str = "XSLoader::load();";

/// What uname says in the image.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The name of its architecture.
    pub name: &'a str,
    /// The kernel's release, where it is not that of this machine's.
    pub release: Option<&'a str>,
}

/// Where perl finds its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Perl {
    /// The folders, in perl's order.
    pub folders: Vec<Folder>,
    /// Every folder of the image that the twin has builds of: its path in the chroot, and what it was. `None` if
    /// it is not there.
    pub guards: Vec<(String, Option<Stamp>)>,
}

/// A folder of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// The image's own, by its path there.
    OfImage(String),
    /// One to be made: files by their path below it.
    Built(Vec<(String, Content)>),
}

/// What a file of a made folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A copy of this file of the host.
    Copy(PathBuf),
    /// A link to this path in the image.
    Link(String),
    /// This text.
    Text(String),
}

/// Perl's modules for the host, and the libraries that they need, by name.
///
/// # Errors
/// Why they cannot be had, in a few words.
pub fn find(
    root: &Root,
    image: &Installed,
    builds: &Builds,
    libraries: &Libraries,
    triplet: &str,
    machine: &Machine,
) -> Result<(Perl, BTreeMap<String, PathBuf>), String> {
    let version = image
        .package("perl-base")
        .map(|package| package.version.as_str());
    let (short, full) = version.and_then(series).ok_or("a version unlike perl's")?;
    let ours = image.port.triplet;
    let mut search = Modules {
        root,
        seen: 0,
        guards: Vec::new(),
        needed: BTreeMap::new(),
    };
    // What was built on the machine itself has no package.
    let local = search.files(&format!("usr/local/lib/{ours}/perl"))?;
    if !local.is_empty() {
        return Err("modules below /usr/local".into());
    }
    let theirs = objects(image, builds, triplet)?;
    let mut built = |folder: String| {
        let mut files = BTreeMap::new();
        for path in search.files(&format!("usr/lib/{ours}/{folder}"))? {
            let within = format!("{folder}/{path}");
            if path == POSIX {
                let text = root.read(format!("usr/lib/{ours}/{within}").as_ref(), MAX_POSIX);
                let text = text.map_err(|error| format!("{within}: {error}"))?;
                files.insert(path, Content::Text(with_uname(&text, machine)?));
            } else if !is_of_processor(&path) {
                files.insert(path, Content::Link(format!("/usr/lib/{ours}/{within}")));
            } else if path.ends_with(OBJECT) {
                let file = theirs
                    .get(&within)
                    .ok_or_else(|| format!("no build of {within}"))?;
                search
                    .needed
                    .extend(libraries.of_program(file, std::iter::empty())?);
                files.insert(path, Content::Copy(file.clone()));
            }
        }
        // An architecture has more headers than another.
        let headers = theirs.iter().filter(|(path, _)| path.ends_with(HEADER));
        for (path, file) in headers {
            if let Some(path) = path.strip_prefix(&format!("{folder}/")) {
                files.insert(path.to_owned(), Content::Copy(file.clone()));
            }
        }
        // A file of the image's where a package has a folder: that would be written through it.
        let is_file = |path: &str| files.contains_key(path);
        if let Some(path) = files.keys().find(|path| folders_of(path).any(is_file)) {
            return Err(format!("/usr/lib/{ours}/{folder}/{path} is below a file"));
        }
        Ok::<_, String>(Folder::Built(files.into_iter().collect()))
    };
    // As `perl -V` has it, on Debian and Ubuntu since 2014.
    let folders = vec![
        Folder::OfImage("/etc/perl".into()),
        Folder::OfImage(format!("/usr/local/share/perl/{full}")),
        built(format!("perl5/{short}"))?,
        Folder::OfImage("/usr/share/perl5".into()),
        built("perl-base".into())?,
        // A link to the folder of the full version.
        built(format!("perl/{full}"))?,
        Folder::OfImage(format!("/usr/share/perl/{short}")),
    ];
    let Modules { guards, needed, .. } = search;
    Ok((Perl { folders, guards }, needed))
}

/// The module with its uname() giving the image's machine: all else in it is the same here.
fn with_uname(text: &str, machine: &Machine) -> Result<String, String> {
    let mut places = text.match_indices(LOAD);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        return Err(format!("a {POSIX} unlike perl's"));
    };
    let Machine { name, release } = machine;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_+~".contains(c);
    let release = match release.filter(|release| release.chars().all(plain)) {
        Some(release) => format!("'{release}'"),
        None => "$own[2]".to_owned(),
    };
    let (before, after) = text.split_at(at + LOAD.len());
    // On the same line: messages tell of lines.
    Ok(format!(
        "{before} {{ no warnings 'redefine'; my $uname = \\&uname; *uname = sub {{ \
         my @own = $uname->(); @own ? (@own[0, 1], {release}, $own[3], '{name}') : () }} }}{after}"
    ))
}

/// 5.36 and 5.36.0, of a version such as 5.36.0-7+deb12u3.
fn series(version: &str) -> Option<(String, String)> {
    let full = version.split('-').next()?;
    let mut parts = full.split('.');
    let numbers = [parts.next()?, parts.next()?, parts.next()?];
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (parts.next().is_none() && numbers.iter().all(digits))
        .then(|| (format!("{}.{}", numbers[0], numbers[1]), full.to_owned()))
}

/// The folders that the file at `path` is in, the outermost first.
fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn is_of_processor(path: &str) -> bool {
    path.ends_with(OBJECT) || path.ends_with(HEADER)
}

/// The files for a processor that the host's builds of the image's perl packages have, by path below
/// `usr/lib/TRIPLET`.
fn objects(
    image: &Installed,
    builds: &Builds,
    triplet: &str,
) -> Result<BTreeMap<String, PathBuf>, String> {
    let ours = format!("/usr/lib/{}/perl", image.port.triplet);
    let mut objects = BTreeMap::new();
    let mut failed = None;
    // Debian's policy: modules are in packages named lib...-perl.
    for (name, package) in image.packages().filter(|(name, _)| name.contains("perl")) {
        let mut files = image.list(name).into_iter();
        if !files.any(|path| path.starts_with(&ours) && is_of_processor(&path)) {
            continue;
        }
        let of: Wanted = (name.clone(), package.version.clone());
        match builds.folder(&of, &format!("usr/lib/{triplet}")) {
            Ok(files) => {
                objects.extend(files.into_iter().filter(|(path, _)| is_of_processor(path)))
            }
            // On with the others, so that all that is missing is asked for at once.
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    failed.map_or(Ok(objects), Err)
}

/// Looks through the image's folders of modules.
struct Modules<'a> {
    root: &'a Root,
    seen: usize,
    guards: Vec<(String, Option<Stamp>)>,
    needed: BTreeMap<String, PathBuf>,
}

impl Modules<'_> {
    /// The files below `folder`, by path from there. Every folder becomes a guard.
    fn files(&mut self, folder: &str) -> Result<BTreeSet<String>, String> {
        let mut files = BTreeSet::new();
        let mut open = vec![String::new()];
        while let Some(within) = open.pop() {
            let path = format!("{folder}{within}");
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let Ok(handle) = self.root.open_at(path.as_ref(), flags, Mode::empty()) else {
                self.guards.push((format!("/{path}"), None));
                continue;
            };
            let failed = |error: std::io::Error| format!("cannot list /{path}: {error}");
            // Before it is listed: what comes later changes it.
            let now = fs::metadata(path_of(&handle)).map_err(failed)?;
            self.guards.push((format!("/{path}"), Some(now.into())));
            for entry in fs::read_dir(path_of(&handle)).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().into_string();
                let name = name.map_err(|_| format!("a strange name in /{path}"))?;
                self.seen += 1;
                if self.seen > MOST {
                    return Err("too many modules".into());
                }
                let at = format!("{within}/{name}");
                if entry.file_type().map_err(failed)?.is_dir() {
                    open.push(at);
                } else {
                    files.insert(at[1..].to_owned());
                }
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_read_from_a_packages_version() {
        let pair = |short: &str, full: &str| Some((short.to_owned(), full.to_owned()));
        assert_eq!(series("5.36.0-7+deb12u3"), pair("5.36", "5.36.0"));
        assert_eq!(series("5.34.0-3ubuntu1.3"), pair("5.34", "5.34.0"));
        for strange in ["5.36", "5.36.0.1-1", "5.x.0-1", "../..", ""] {
            assert_eq!(series(strange), None, "{strange}");
        }
    }

    #[test]
    fn uname_gives_the_images_machine_where_the_module_is_as_it_should_be() {
        let machine = Machine {
            name: "aarch64",
            release: Some("6.1.0-1"),
        };
        let text = "package POSIX;\nXSLoader::load();\n1;\n";
        let changed = with_uname(text, &machine).unwrap();
        assert_eq!(changed.lines().count(), 3);
        assert!(
            changed.contains("'6.1.0-1', $own[3], 'aarch64'"),
            "{changed}"
        );
        let strange = Machine {
            release: Some("'; system"),
            ..machine
        };
        assert!(with_uname(text, &strange).unwrap().contains("$own[2]"));
        for text in ["", "XSLoader::load();XSLoader::load();"] {
            assert!(with_uname(text, &machine).is_err());
        }
    }

    #[test]
    fn every_folder_is_a_guard_also_one_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
        for name in ["a/one.pm", "a/b/two.pm"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        // A folder of the host, for whoever follows it.
        std::os::unix::fs::symlink("/", dir.path().join("a/link")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut modules = Modules {
            root: &root,
            seen: 0,
            guards: Vec::new(),
            needed: BTreeMap::new(),
        };
        let files = modules.files("a").unwrap();
        assert_eq!(Vec::from_iter(files), ["b/two.pm", "link", "one.pm"]);
        assert!(modules.files("none").unwrap().is_empty());
        let guards = modules.guards.iter();
        let guards = guards.map(|(path, now)| (path.as_str(), now.is_some()));
        assert_eq!(
            Vec::from_iter(guards),
            [
                ("/a", true),
                ("/a/b", true),
                ("/a/b/c", true),
                ("/none", false)
            ]
        );
    }
}
