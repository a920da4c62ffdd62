//! What answers a program.

use super::{
    call::{Answer, Call},
    machine::Machine,
};

/// Answers a call. What it changes of the machine is seen by all later ones.
pub type Tool = fn(&Call, &mut Machine) -> Answer;

/// Names of programs, each with what answers it.
pub type Tools = &'static [(&'static str, Tool)];

/// What answers the program of this name, among `tools`.
pub fn find(tools: Tools, name: &str) -> Option<Tool> {
    let mut tools = tools.iter();
    tools
        .find(|(known, _)| *known == name)
        .map(|(_, tool)| *tool)
}
