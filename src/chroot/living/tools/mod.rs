//! The programs that are answered, a file for each kind.

use super::{
    call::{Answer, Call},
    machine::Machine,
};

/// Answers a call. What it changes of the machine is seen by all later ones.
pub type Tool = fn(&Call, &mut Machine) -> Answer;

/// Names of programs, each with what answers it.
pub type Tools = &'static [(&'static str, Tool)];

/// All of them, a list for each file.
const ALL: &[Tools] = &[];

/// The names, one a line, sorted: the [dispatcher](crate::twins::dispatcher) knows them, too.
pub const NAMES: &str = include_str!("names.txt");

/// What answers the program of this name.
pub fn find(name: &str) -> Option<Tool> {
    let mut all = ALL.iter().flat_map(|tools| tools.iter());
    all.find(|(known, _)| *known == name).map(|(_, tool)| *tool)
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
