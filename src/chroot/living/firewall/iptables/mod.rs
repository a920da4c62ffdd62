//! iptables without a kernel: what its commands would have put into the tables.
//!
//! A [`rule::Rule`] is kept in the form in which `iptables-save` writes it, whatever way it was typed, so that `-C` and
//! `-D` find it. [`command`] understands a command, [`reader`] reads its words, and those of [`matches`] and [`targets`] by
//! their lists of options ([`extension`]). [`tables`] has the chains; [`list`] and [`restore`] print and load them.

mod command;
mod destinations;
mod extension;
mod getopt;
mod icmp;
mod list;
mod lists;
mod matches;
mod protocol;
mod reader;
mod restore;
mod rule;
mod shown;
mod tables;
mod targets;
mod values;

pub use command::{Action, Command, Problem, program_of};
pub use list::{List, rules};
pub use restore::{How, restore, save};
pub use rule::Rule;
pub use tables::{Chain, Table, Tables};

use super::names::Names;
use reader::Reader;

/// Reads a command. `lines` is whether it is a line of iptables-restore; there, one for the other family is none.
pub fn parse(words: Vec<String>, names: &Names, lines: bool) -> Result<Option<Command>, Problem> {
    Reader::new(words, names, lines).read()
}
