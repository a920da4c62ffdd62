//! What is known to leave a Pi hanging that boots from the network, looked for in what is published and in its root.
//!
//! [`check`] makes the checks of [`Name`], from files alone: nothing of the image is run. docs/netboot-checks.md says what each looks
//! at, and where that is known from. Boards are those of `hn_board`.

mod board;
mod checks;
mod config;
pub mod cpio;
mod finding;
mod glob;
mod kernel;
mod load;
mod name;
mod seen;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod wanted;

use std::io;

pub use board::Board;
pub use finding::{Finding, Verdict};
pub use name::Name;
pub use tree::{Kind, Stat, Tree};
pub use wanted::{RootOn, Wanted};

use finding::Notes;
use seen::Seen;

/// Makes all checks but those of `skip`: `boot` is the folder that the firmware boots from, `root` the root file system. Each check has at
/// least one finding.
pub fn check(
    boot: &dyn Tree,
    root: Option<&dyn Tree>,
    wanted: &Wanted,
    skip: &[Name],
) -> Vec<Finding> {
    let seen = match Seen::new(boot, root, wanted) {
        Ok(seen) => seen,
        Err(error) => return nothing_known(&error, skip),
    };
    let made = Name::ALL.into_iter().filter(|name| !skip.contains(name));
    made.flat_map(|name| {
        let mut notes = Notes::new(name);
        if let Err(error) = checks::make(name, &seen, &mut notes) {
            notes.unknown(error.to_string());
        }
        notes.end()
    })
    .collect()
}

/// Where not even the files of the firmware can be read.
fn nothing_known(error: &io::Error, skip: &[Name]) -> Vec<Finding> {
    let made = Name::ALL.into_iter().filter(|name| !skip.contains(name));
    made.flat_map(|name| {
        let mut notes = Notes::new(name);
        notes.unknown(error.to_string());
        notes.end()
    })
    .collect()
}
