//! Finding what a command names, and saying that it is not there.

use std::collections::HashSet;

use super::{
    lexer::{Token, Wrong},
    ruleset::{Chain, Object, Ruleset, Table},
};

/// It is not there.
pub fn missing(token: &Token) -> Wrong {
    token.wrong("Could not process rule: No such file or directory")
}

/// It is there already.
pub fn exists(token: &Token) -> Wrong {
    token.wrong("Could not process rule: File exists")
}

/// The table of this name.
pub fn find<'a>(
    rules: &'a mut Ruleset,
    family: &str,
    name: &Token,
) -> Result<&'a mut Table, Wrong> {
    let found = rules
        .tables
        .iter_mut()
        .find(|table| table.is(family, &name.text));
    found.ok_or_else(|| missing(name))
}

/// The chain of this name.
pub fn chain<'a>(table: &'a mut Table, name: &Token) -> Result<&'a mut Chain, Wrong> {
    let found = table
        .chains
        .iter_mut()
        .find(|chain| chain.name == name.text);
    found.ok_or_else(|| missing(name))
}

/// What an element is found by: what comes before its value, comment or time.
pub fn key(element: &str) -> &str {
    let end = [" : ", " comment ", " timeout ", " expires ", " counter"];
    let ends = end.iter().filter_map(|word| element.find(word));
    &element[..ends.min().unwrap_or(element.len())]
}

/// Adds those that are not there.
pub fn add_elements(object: &mut Object, elements: Vec<String>) {
    let mut there: HashSet<String> = object
        .elements
        .iter()
        .map(|one| key(one).to_owned())
        .collect();
    let new = elements
        .into_iter()
        .filter(|element| there.insert(key(element).to_owned()));
    object.elements.extend(new);
}
