//! The programs that are answered, a file for each kind.

pub mod power;

use super::tool::{self, Tool, Tools};

/// All of them, a list for each file.
const ALL: &[Tools] = &[power::TOOLS];

/// The names, one a line, sorted: those who [ask](crate::bare) know them, too.
pub const NAMES: &str = include_str!("names.txt");

/// What answers the program of this name.
pub fn find(name: &str) -> Option<Tool> {
    ALL.iter().find_map(|tools| tool::find(tools, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_names_is_true() {
        let all = ALL.iter().flat_map(|tools| tools.iter());
        let mut names: Vec<&str> = all.map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(NAMES.lines().collect::<Vec<_>>(), names);
    }
}
