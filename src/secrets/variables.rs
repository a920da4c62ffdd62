//! Environment variables, and sudo, which takes them away.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

/// Whether sudo started us.
pub fn under_sudo(env: &BTreeMap<OsString, OsString>) -> bool {
    env.contains_key(OsStr::new("SUDO_UID"))
}

/// How to give pichroot the variable `name`.
pub fn let_through(name: &str, env: &BTreeMap<OsString, OsString>) -> String {
    match under_sudo(env) {
        true => format!(
            "export {name}=..., and have sudo pass it on: sudo --preserve-env={name} pichroot ..."
        ),
        false => format!("export {name}=... before starting pichroot"),
    }
}
