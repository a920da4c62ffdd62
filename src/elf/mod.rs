//! ELF files: for which machine a program is, what it is linked with, and what of it is mapped where.
//!
//! Pure readers over `Read + Seek` of hostile files: sizes are bounded, arithmetic is checked, no loop
//! depends on the file alone.

mod dynamic;
mod header;
pub mod program;

pub use dynamic::{Dynamic, read_dynamic};
pub use header::{Elf, Machine, read_elf};

use crate::bytes::{Fields, read_array};
