//! What sudo hides of its caller.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use nix::unistd::{Uid, User};

/// The caller's home, where sudo has put root's in its place: there are the roles, collections, keys and tokens that
/// the caller means. A home that is neither was chosen, and stays.
pub fn home(env: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let user = |id| User::from_uid(id).ok().flatten();
    let caller = env.get(OsStr::new("SUDO_UID"))?.to_str()?.parse().ok()?;
    let (roots, callers) = (
        user(Uid::from_raw(0))?.dir,
        user(Uid::from_raw(caller))?.dir,
    );
    // Not one that only root would make.
    home_of(env, roots, callers).filter(|home| home.is_dir())
}

fn home_of(
    env: &BTreeMap<OsString, OsString>,
    roots: PathBuf,
    callers: PathBuf,
) -> Option<PathBuf> {
    let now = env.get(OsStr::new("HOME")).filter(|home| !home.is_empty());
    let is_roots = now.is_none_or(|home| *home == roots);
    (is_roots && callers.is_absolute()).then_some(callers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_roots_home_gives_way() {
        let home = |now: Option<&str>| {
            let now = now.map(|home| ("HOME".into(), home.into()));
            home_of(
                &now.into_iter().collect(),
                "/root".into(),
                "/home/me".into(),
            )
        };
        assert_eq!(home(None), Some("/home/me".into()));
        assert_eq!(home(Some("/root")), Some("/home/me".into()));
        assert_eq!(home(Some("/home/me")), None);
        assert_eq!(home(Some("/elsewhere")), None);
    }
}
