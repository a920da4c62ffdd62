//! What a command of iptables asks for.

use super::{super::names::Family, rule::Rule};

/// A command that was understood.
#[derive(Debug)]
pub struct Command {
    /// The table, by default `filter`.
    pub table: String,
    /// What is to be done.
    pub action: Action,
    /// How it is to be shown.
    pub format: Format,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// `-A`: these rules at the end of the chain.
    Append(String, Vec<Rule>),
    /// `-I`: these rules at a place.
    Insert(String, usize, Vec<Rule>),
    /// `-R`: this rule at the place of another.
    Replace(String, usize, Box<Rule>),
    /// `-D` with a rule: the first rules that are the same.
    Delete(String, Vec<Rule>),
    /// `-D` with a number.
    DeleteAt(String, usize),
    /// `-C`: whether there are such rules.
    Check(String, Vec<Rule>),
    /// `-L`: a table for people.
    List(Option<String>, Option<usize>),
    /// `-S`: as commands.
    Rules(Option<String>, Option<usize>),
    /// `-F`: no rules.
    Flush(Option<String>),
    /// `-Z`: counters, of which there are none.
    Zero(Option<String>),
    /// `-N`: a new chain.
    New(String),
    /// `-X`: a chain less.
    Remove(Option<String>),
    /// `-E`: another name.
    Rename(String, String),
    /// `-P`: what becomes of packets that no rule decides about.
    Policy(String, String),
}

/// How it is to be shown.
#[derive(Debug, Default, Clone, Copy)]
pub struct Format {
    /// `-v`.
    pub verbose: bool,
    /// `-n`.
    pub numeric: bool,
    /// `--line-numbers`.
    pub numbers: bool,
}

/// Why a command is not carried out: what is said after the program's name, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Wrong words, 2; help is offered.
    Words(String),
    /// Wrong words that are said as they are, 2; help is offered.
    Bare(String),
    /// No such table, 3.
    Table(String),
    /// The kernel would say no, 4.
    Kernel(String),
    /// Anything else, 1, behind the program's name alone.
    Said(String),
    /// Exit code 1, without a word.
    Silent,
}

impl From<String> for Problem {
    fn from(words: String) -> Self {
        Problem::Words(words)
    }
}

/// The tables that there are, in the order in which they are saved.
pub const TABLES: [&str; 5] = ["mangle", "security", "raw", "filter", "nat"];

const LETTERS: &[(&str, char)] = &[
    ("append", 'A'),
    ("check", 'C'),
    ("delete", 'D'),
    ("replace", 'R'),
    ("insert", 'I'),
    ("list", 'L'),
    ("list-rules", 'S'),
    ("flush", 'F'),
    ("zero", 'Z'),
    ("new-chain", 'N'),
    ("delete-chain", 'X'),
    ("rename-chain", 'E'),
    ("policy", 'P'),
    ("source", 's'),
    ("src", 's'),
    ("destination", 'd'),
    ("dst", 'd'),
    ("protocol", 'p'),
    ("proto", 'p'),
    ("in-interface", 'i'),
    ("out-interface", 'o'),
    ("jump", 'j'),
    ("goto", 'g'),
    ("table", 't'),
    ("match", 'm'),
    ("numeric", 'n'),
    ("verbose", 'v'),
    ("wait", 'w'),
    ("wait-interval", 'W'),
    ("exact", 'x'),
    ("fragments", 'f'),
    ("version", 'V'),
    ("help", 'h'),
    ("line-numbers", '0'),
    ("modprobe", 'M'),
    ("set-counters", 'c'),
    ("ipv4", '4'),
    ("ipv6", '6'),
];

/// The long options that every command has.
pub fn long_options() -> impl Iterator<Item = &'static str> {
    LETTERS.iter().map(|(name, _)| *name)
}

/// The letter of a long option.
pub fn letter(long: &str) -> Option<char> {
    LETTERS
        .iter()
        .find(|(name, _)| *name == long)
        .map(|(_, letter)| *letter)
}

/// A chain's name that a new chain may have.
pub fn valid_name(name: &str) -> Result<(), Problem> {
    short_enough(name)?;
    let first = name.chars().next().unwrap_or(' ');
    if matches!(first, '-' | '!') {
        let wrong = format!("chain name not allowed to start with `{first}'");
        return Err(Problem::Words(wrong));
    }
    if is_target(name) {
        return Err(Problem::Words(
            "chain name may not clash with target name".into(),
        ));
    }
    match name.contains(|letter: char| letter.is_ascii_whitespace()) {
        true => Err(Problem::Words(format!("Invalid chain name `{name}'"))),
        false => Ok(()),
    }
}

/// A name that fits into the kernel's structures.
pub fn short_enough(name: &str) -> Result<(), Problem> {
    match name.len() < 29 {
        true => Ok(()),
        false => Err(Problem::Words(format!(
            "chain name `{name}' too long (must be under 29 chars)"
        ))),
    }
}

/// Whether there is a target of this name.
pub fn is_target(name: &str) -> bool {
    let known = || {
        super::targets::TARGETS
            .iter()
            .any(|target| target.name == name)
    };
    super::targets::VERDICTS.contains(&name) || known()
}

/// Where a rule cannot be for the interfaces that it names.
pub fn check_interfaces(chain: &str, rule: &Rule) -> Result<(), Problem> {
    let inner = ["PREROUTING", "INPUT"].contains(&chain) && !rule.output.value.is_empty();
    let outer = ["POSTROUTING", "OUTPUT"].contains(&chain) && !rule.input.value.is_empty();
    match (inner, outer) {
        (true, _) => Err(Problem::Words(format!("Can't use -o with {chain}\n"))),
        (_, true) => Err(Problem::Words(format!("Can't use -i with {chain}\n"))),
        _ => Ok(()),
    }
}

/// The name that programs of a family have.
pub fn program_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}
