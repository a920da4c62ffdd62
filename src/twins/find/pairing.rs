//! Gives programs of the image their twins.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    builds::{Builds, Wanted},
    catalogue::{CATALOGUE, Rule},
    found::{Found, Program},
    installed::{FileId, Installed},
    libraries::{Libraries, name_services},
    perl,
    port::Port,
    search::Search,
};
use crate::{
    elf::read_elf,
    emulation::arch::Arch,
    event::{Event, TwinMissing},
};

/// glibc loads it to end a thread.
const LIBGCC: &str = "libgcc_s.so.1";

/// A program of the image that may have a twin.
pub struct Candidate {
    /// Its path, all links resolved.
    path: PathBuf,
    /// Its path as its package lists it.
    listed: String,
    of: Wanted,
    rule: Rule,
    opens: &'static [&'static str],
    file: FileId,
}

/// The image's programs of the catalogue that are as their packages brought them.
pub fn candidates(search: &Search, image: &Installed) -> Vec<Candidate> {
    let words_differ = search.image.elf().1 != search.host.elf().1;
    let mut candidates = Vec::new();
    for entry in CATALOGUE {
        let Some(package) = image.package(entry.package) else {
            continue;
        };
        if entry.by_word && words_differ {
            continue;
        }
        for listed in image.sums(entry.package).keys() {
            if !entry.has(listed) {
                continue;
            }
            let Some((intact, mut file)) = image.intact(entry.package, listed) else {
                let package = entry.package;
                (search.report)(Event::TwinsFailed {
                    what: format!("no twin of /{listed}"),
                    why: format!("not as {package} brought it"),
                });
                continue;
            };
            // Scripts need none, and a twin has no privileges to give.
            let elf = read_elf(&mut file).ok().flatten();
            let ours = elf.is_some_and(|elf| Arch::of(&elf) == Some(search.image) && elf.dynamic);
            if ours && intact.plain {
                candidates.push(Candidate {
                    path: intact.path,
                    listed: listed.clone(),
                    of: (entry.package.to_owned(), package.version.clone()),
                    rule: entry.rule,
                    opens: entry.opens,
                    file: intact.id,
                });
            }
        }
    }
    candidates
}

/// Gives each candidate its twin, from what is at hand.
pub fn pair(
    search: &Search,
    image: &Installed,
    libraries: &Libraries,
    candidates: &[Candidate],
    builds: &Builds,
    port: Port,
) -> Found {
    let mut found = Found {
        host: port.name,
        image: image.port.name,
        ..Found::default()
    };
    let mut all = BTreeMap::new();
    let mut missing = BTreeMap::<&Wanted, String>::new();
    let loader = libraries.with_needed(port.loader);
    for candidate in candidates {
        let twin = builds.program(&candidate.of, &candidate.listed);
        let twin = twin.and_then(|twin| {
            let opens = candidate.opens.iter().copied();
            let needed = libraries.of_program(&twin, opens)?;
            loader.clone()?;
            if candidate.rule == Rule::Perl && found.perl.is_none() {
                let machine = perl::Machine {
                    name: search.image.name(),
                    release: search.kernel,
                };
                let perl = perl::find(
                    search.root,
                    image,
                    builds,
                    libraries,
                    port.triplet,
                    &machine,
                );
                let (perl, of_modules) = perl?;
                found.perl = Some(perl);
                all.extend(of_modules);
            }
            Ok((twin, needed))
        });
        match twin {
            Ok((twin, needed)) => {
                all.extend(needed);
                found.programs.push(Program {
                    path: candidate.path.clone(),
                    package: candidate.of.0.clone(),
                    version: candidate.of.1.clone(),
                    twin,
                    rule: candidate.rule,
                    file: candidate.file,
                });
            }
            Err(why) => {
                missing.entry(&candidate.of).or_insert(why);
            }
        }
    }
    all.extend(libraries.with_needed(LIBGCC).unwrap_or_default());
    let (services, nsswitch) = name_services(search.root);
    found.nsswitch = nsswitch;
    for name in services.iter().filter(|name| image.has_library(name)) {
        match libraries.with_needed(name) {
            Ok(needed) => all.extend(needed),
            Err(_) => found.nss_missing = true,
        }
    }
    let loader = loader.ok().and_then(|mut all| all.remove(port.loader));
    found.loader = loader.unwrap_or_default();
    let paths = all.into_values().collect::<BTreeSet<_>>();
    found.libraries = paths.into_iter().collect();
    found.programs.sort_by(|a, b| a.path.cmp(&b.path));
    found.programs.dedup_by(|a, b| a.path == b.path);
    let missing = missing
        .into_iter()
        .map(|((package, version), why)| TwinMissing {
            package: package.clone(),
            version: version.clone(),
            why,
        });
    found.missing = missing.collect();
    found
}
