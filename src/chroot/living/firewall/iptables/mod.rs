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

pub use command::{Action, Problem, parse, program_of};
pub use list::{List, rules};
pub use restore::{How, restore, save};
pub use rule::Rule;
pub use tables::{Chain, Table, Tables};
