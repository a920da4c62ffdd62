//! How large a partition is, in a table of either kind: how far it could reach, and what to write to make it so.
//!
//! Only the bytes that say so are replaced. What else is in a table stays as it is: identifiers, names, attributes, boot
//! code, a hybrid's other entries. No program is needed for that which reads all of a stranger's table.

mod dos;
mod gpt;
mod patch;

use std::io::{Read, Seek};

pub use patch::{Patch, write};

use crate::{
    disk::{
        dos as read_dos, gpt as read_gpt,
        partition::{Table, TableKind},
    },
    error::{Error, Result},
};

/// A partition table, as far as it has to be known to change it.
#[derive(Debug)]
pub enum Editor {
    /// A master boot record, and maybe logical partitions.
    Dos(dos::Editor),
    /// A GUID partition table.
    Gpt(Box<gpt::Editor>),
}

impl Editor {
    /// Of the image `name` of `size` bytes with this `table`.
    ///
    /// # Errors
    /// [`Kind::Image`](crate::error::Kind::Image) where the table cannot be read.
    pub fn open(
        reader: &mut (impl Read + Seek),
        table: &Table,
        size: u64,
        name: &str,
    ) -> Result<Self> {
        Ok(match table.kind {
            TableKind::Dos => Editor::Dos(dos::Editor::new(read_dos::places(reader, size, name)?)),
            TableKind::Gpt => {
                let raw = read_gpt::raw(reader, size, name)?;
                Editor::Gpt(Box::new(gpt::Editor::new(reader, raw, size, name)?))
            }
        })
    }

    /// The size of a sector, in bytes.
    pub fn sector(&self) -> u64 {
        match self {
            Editor::Dos(_) => dos::SECTOR,
            Editor::Gpt(gpt) => gpt.sector(),
        }
    }

    /// How far partition `number` can reach in an image of `size` bytes, in bytes from the image's start: to the next
    /// partition, or to the end.
    pub fn highest_end(&self, number: u32, size: u64) -> u64 {
        match self {
            Editor::Dos(dos) => dos.highest_end(number, size),
            Editor::Gpt(gpt) => gpt.highest_end(number, size),
        }
    }

    /// The smallest size of an image whose last partition ends at byte `end`.
    pub fn smallest_image(&self, end: u64) -> u64 {
        match self {
            Editor::Dos(_) => end.next_multiple_of(dos::SECTOR),
            Editor::Gpt(gpt) => gpt.smallest_image(end),
        }
    }

    /// What makes partition `number` end at byte `end`, in an image whose size becomes `size`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) where the table cannot say so much.
    pub fn end_at(&self, number: u32, end: u64, size: u64) -> Result<Vec<Patch>> {
        match self {
            Editor::Dos(dos) => dos.end_at(number, end).ok_or_else(|| {
                Error::usage(format!(
                    "partition {number} cannot be that large: a dos partition table ends at 2 TiB"
                ))
                .hint("start from an image with a gpt, or ask for less")
            }),
            Editor::Gpt(gpt) => Ok(gpt.end_at(number, end, size)),
        }
    }
}

#[cfg(test)]
mod tests;
