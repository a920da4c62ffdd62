//! Putting twins where the chroot sees them, and writing the dispatcher's table of them.
//!
//! Copies on the stage's tmpfs: root in the chroot has the host's user id 0, and what it reaches must be nothing
//! of the host's own.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    copies::{copy, copy_of, identity},
    dpkg, perl,
};
use crate::{
    elf::program::{Program, read_program},
    error::{Context, Kind, Result},
    hex::hex,
    twins::{
        dispatcher::{
            self,
            format::{
                Entry, Guard, Header, MAGIC, PAGE, PLACE, RULE_ALWAYS, RULE_BASH, RULE_DASH,
                RULE_GAWK, RULE_NAMES_RELEASE, RULE_OPENSSL, RULE_PERL, SEGMENTS, Segment, TABLE,
            },
        },
        find::{Found, Rule, stamp::Stamp},
    },
};

/// The twins' ld.so, beside their libraries.
const LOADER: &str = "ld.so";
/// The folder of programs.
const PROGRAMS: &str = "bin";

/// Copies what was found to `folder`, as far as it is not there, and makes the table name it; how many programs have a
/// twin now. There is no table where none has.
pub fn put(found: &Found, folder: &Path) -> Result<usize> {
    let failed = || "cannot put the twins in place".to_owned();
    let all = || -> io::Result<usize> {
        if found.programs.is_empty() {
            return match fs::remove_file(folder.join(TABLE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(0),
            };
        }
        let libraries = libraries(found, folder)?;
        let modules = found
            .perl
            .as_ref()
            .map(|perl| perl::put(perl, folder))
            .transpose()?;
        let guards = found.perl.as_ref().map_or(&[][..], |perl| &perl.guards);
        let mut texts = Texts {
            start: dispatcher::texts_of_table(found.programs.len(), guards.len()),
            bytes: Vec::new(),
        };
        let mut header = loader(&folder.join(&libraries).join(LOADER))?;
        header.loader_path = texts.path(&[&libraries, LOADER]);
        header.library_path = texts.path(&[&libraries]);
        header.perl_options = texts.place();
        modules.iter().flatten().for_each(|option| {
            texts.add(option);
        });
        texts.add("");
        let mut entries = Vec::new();
        for program in &found.programs {
            let change = |bytes| match program.rule {
                Rule::Perl => perl::with_own_name(bytes),
                Rule::Dpkg => dpkg::with_architecture(bytes, found.host, found.image),
                _ => Some(bytes),
            };
            let Some(name) = copy_of(&program.twin, &folder.join(PROGRAMS), change)? else {
                continue;
            };
            entries.push(Entry {
                inode: program.file.inode,
                device: program.file.device,
                size: program.file.size,
                changed: program.file.changed,
                path: texts.path(&[PROGRAMS, &name]),
                rule: number(program.rule),
            });
        }
        entries.sort_by_key(|entry| entry.inode);
        let mut guard = |(path, now): (&str, Option<Stamp>)| Guard {
            inode: now.map_or(0, |now| now.inode),
            device: now.map_or(0, |now| now.device),
            modified: now.map_or([0; 2], |now| now.modified),
            path: u64::from(texts.add(path)),
        };
        header.nsswitch = guard(("/etc/nsswitch.conf", found.nsswitch));
        let guards = guards
            .iter()
            .map(|(path, now)| guard((path.as_str(), *now)));
        let guards = guards.collect::<Vec<_>>();
        header.count = entries.len() as u64;
        header.guards = guards.len() as u32;
        let table = dispatcher::table(&header, &entries, &guards, &texts.bytes);
        // It appears whole: programs are started meanwhile.
        let new = folder.join(".table");
        fs::write(&new, table)?;
        fs::rename(&new, folder.join(TABLE))?;
        Ok(entries.len())
    };
    all().context(Kind::Host, failed)
}

/// The texts at the end of a table.
struct Texts {
    /// Where they begin, from the table's start.
    start: usize,
    bytes: Vec<u8>,
}

impl Texts {
    /// Where the next one will begin.
    fn place(&self) -> u32 {
        (self.start + self.bytes.len()) as u32
    }

    /// Adds one; where it begins.
    fn add(&mut self, text: &str) -> u32 {
        let at = self.place();
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        at
    }

    /// Adds a path below [`PLACE`]; where it begins.
    fn path(&mut self, names: &[&str]) -> u32 {
        self.add(&format!("{PLACE}/{}", names.join("/")))
    }
}

fn number(rule: Rule) -> u32 {
    match rule {
        Rule::Always | Rule::Dpkg => RULE_ALWAYS,
        Rule::NamesRelease => RULE_NAMES_RELEASE,
        Rule::Bash => RULE_BASH,
        Rule::Dash => RULE_DASH,
        Rule::Perl => RULE_PERL,
        Rule::Gawk => RULE_GAWK,
        Rule::Openssl => RULE_OPENSSL,
    }
}

/// Puts the libraries into a folder of their own, named by what is in it: all or none of them are of one set.
fn libraries(found: &Found, folder: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    for path in found.libraries.iter().chain([&found.loader]) {
        hash.update(identity(path)?);
    }
    let name = format!("lib-{}", hex(&hash.finalize()[..8]));
    let at = folder.join(&name);
    if at.exists() {
        return Ok(name);
    }
    let new = folder.join(".libraries");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir(&new)?;
    for path in &found.libraries {
        let file = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        copy(path, &new.join(file))?;
    }
    copy(&found.loader, &new.join(LOADER))?;
    fs::rename(&new, &at)?;
    Ok(name)
}

/// A header that tells how to map the ld.so at `path`.
fn loader(path: &Path) -> io::Result<Header> {
    let unfit = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is no ld.so", path.display()),
        )
    };
    let program = read_program(&mut File::open(path)?)?.ok_or_else(unfit)?;
    segments(&program).ok_or_else(unfit)
}

/// `None` if it is unlike any ld.so: it begins at 0, its segments are apart, and its headers are in the first.
fn segments(program: &Program) -> Option<Header> {
    let mut header = Header {
        magic: MAGIC,
        count: 0,
        loader_size: program.end()?.checked_next_multiple_of(PAGE)?,
        loader_entry: program.entry,
        loader_headers: [program.headers_at, program.headers.len() as u64],
        loader_path: 0,
        library_path: 0,
        perl_options: 0,
        guards: 0,
        nsswitch: Guard {
            inode: 0,
            device: 0,
            modified: [0; 2],
            path: 0,
        },
        segments: [Segment::default(); SEGMENTS],
    };
    if program.loaded().count() > SEGMENTS || program.loaded().next()?.address != 0 {
        return None;
    }
    for (segment, part) in header.segments.iter_mut().zip(program.loaded()) {
        // From the beginning of its page, in the file as in memory.
        let before = part.address % PAGE;
        if part.offset % PAGE != before || part.in_memory < part.in_file {
            return None;
        }
        *segment = Segment {
            offset: part.offset - before,
            address: part.address - before,
            in_file: part.in_file + before,
            in_memory: part.in_memory + before,
            protection: protection(part.flags),
        };
    }
    Some(header)
}

/// PROT_READ 1, PROT_WRITE 2 and PROT_EXEC 4 of a segment's flags (4, 2 and 1).
fn protection(flags: u32) -> u64 {
    u64::from((flags & 4) >> 2 | flags & 2 | (flags & 1) << 2)
}
