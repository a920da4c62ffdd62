//! Which machine is meant, and its variables: those of the command line, of the inventory, and of pichroot.yml.

use std::path::Path;

use super::{file::File, known::Known, locations, names, surroundings::Surroundings};
use crate::{
    ansible::{ExtraVars, find, hosts, user_inventory},
    error::{Error, Result},
};

/// What the command line says of it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Each `--inventory`.
    pub inventories: &'a [String],
    /// `--limit`.
    pub limit: Option<&'a str>,
}

/// The error where nothing names the machine.
pub fn unnamed() -> Error {
    Error::usage("nothing says which machine this is for")
        .hint("name it by -e hn_hostname=NAME, or by -i INVENTORY and -l NAME")
}

/// Its variables that are plain, and its name where something gives one.
///
/// # Errors
/// [`crate::error::Kind::Usage`] when the inventory cannot be read, or names several.
pub fn find(
    asked: &Asked,
    (file, folder): (&File, &Path),
    extra: &[ExtraVars],
    around: &Surroundings,
) -> Result<(Known, Option<String>)> {
    let (env, cwd, home) = (&around.env, &around.cwd, around.home());
    let (given, base) = match asked.inventories.is_empty() {
        true => (file.ansible.inventory.as_slice(), folder),
        false => (asked.inventories, cwd.as_path()),
    };
    let given: Vec<_> = given
        .iter()
        .map(|text| locations::inventory(text, base, home))
        .collect();
    let inventories = user_inventory::sources(&given, env, cwd);
    let known = Known::new(&file.vars, extra);
    let template = file.ansible.host_name.as_deref();
    if inventories.is_empty() {
        let name = names::given(template, &known, || Ok(None))?;
        return Ok((known, name));
    }
    let command = file
        .ansible
        .command
        .as_deref()
        .map(|command| match command.contains('/') {
            true => locations::absolute(command, folder, home),
            false => command.into(),
        });
    let program = find::ansible_playbook(command.as_deref(), env, cwd, around.venv.as_deref())?;
    let named = names::given(template, &known, || Ok(None))?;
    let listed = hosts::of(&program, &inventories, asked.limit, env, cwd)?;
    let host = match (&named, listed.as_slice()) {
        (Some(name), all) if all.contains(name) => name.clone(),
        (None, [one]) => one.clone(),
        // A machine that no inventory knows.
        (Some(_), _) => return Ok((known, named)),
        (None, []) => return Ok((known, None)),
        (None, several) => {
            return Err(
                Error::usage(format!("the inventory names {} machines", several.len()))
                    .hint("choose one by -l NAME"),
            );
        }
    };
    let mut vars = file.vars.clone();
    vars.extend(hosts::variables(&program, &inventories, &host, env, cwd)?);
    let known = Known::new(&vars, extra);
    let name = names::given(template, &known, || Ok(Some(host)))?;
    Ok((known, name))
}
