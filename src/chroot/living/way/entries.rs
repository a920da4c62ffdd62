//! The kernel starts the asker: an entry of binfmt_misc for each of these programs.
//!
//! An entry tells a program by the header of its file, which says where its code begins and how long it is: so it is
//! that of one build. Another program with the same header, and another name of a program that has many, start through the
//! asker, too; it lets them run.

use std::{collections::HashMap, fs::File, io::Read, os::unix::fs::OpenOptionsExt, path::Path};

use nix::libc::O_NONBLOCK;

use super::present::{Identity, Present};
use crate::{
    chroot::table::Table,
    emulation::binfmt,
    error::{Context, Kind, Result},
    sys::{inroot::path_of, memory},
};

/// Where a header says whether it is one of 64 bits, and how long it then is, or else.
const EI_CLASS: usize = 4;
const LENGTHS: (usize, usize) = (64, 52);

/// All entries.
#[derive(Debug)]
pub struct Entries {
    table: Table,
    asker: File,
    /// The headers that are registered, with their numbers.
    made: HashMap<Vec<u8>, u32>,
    next: u32,
    /// What was read of files that are there.
    known: HashMap<Identity, Option<Vec<u8>>>,
}

impl Entries {
    /// None yet, of an asker in sealed memory.
    ///
    /// # Errors
    /// When there is no memory for that.
    pub fn new(table: Table, asker: &[u8]) -> Result<Self> {
        let failed = || "cannot copy the asker into memory".to_owned();
        let asker = memory::sealed("pichroot-asker", asker).context(Kind::Host, failed)?;
        Ok(Entries {
            table,
            asker,
            made: HashMap::new(),
            next: 0,
            known: HashMap::new(),
        })
    }

    /// Makes those of programs that are `present`, and removes all others.
    pub fn update(&mut self, present: &[Present]) {
        let mut known = HashMap::new();
        for program in present {
            let before = self.known.remove(&program.file);
            let header = before.unwrap_or_else(|| header(&program.path));
            known.entry(program.file).or_insert(header);
        }
        self.known = known;
        let wanted: Vec<_> = self.known.values().flatten().cloned().collect();
        let table = &self.table;
        self.made.retain(|header, number| {
            let stays = wanted.contains(header);
            if !stays {
                // The image may have removed it.
                let _ = table.remove(&name(*number));
            }
            stays
        });
        for header in wanted {
            if self.made.contains_key(&header) {
                continue;
            }
            let line = binfmt::entry(&name(self.next), &header, None, &path_of(&self.asker));
            // Without it the program runs, and says itself what it cannot do.
            if self.table.register(&line).is_ok() {
                self.made.insert(header, self.next);
            }
            self.next += 1;
        }
    }
}

fn name(number: u32) -> String {
    format!("pichroot-{number}")
}

/// The header of an ELF program.
fn header(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::options()
        .read(true)
        // It may be a pipe by now.
        .custom_flags(O_NONBLOCK)
        .open(path)
        .ok()?;
    let mut header = vec![0; LENGTHS.0];
    file.read_exact(&mut header).ok()?;
    if header[EI_CLASS] != 2 {
        header.truncate(LENGTHS.1);
    }
    header.starts_with(b"\x7fELF").then_some(header)
}
