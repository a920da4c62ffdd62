//! /run as it is after a boot: what tmpfiles.d and the services that boot starts would make there, and what says that
//! systemd runs. Nothing of the image is started for it.

mod memory;
mod specifiers;
mod tmpfiles;

use std::path::Path;

use self::memory::{Memory, Owner};
use super::{
    accounts::{Accounts, User},
    first_boot,
    units::{self, scope::Scope, tree::Tree, unit::Unit},
};
use crate::sys::inroot::Root;

/// By this programs know that systemd runs (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
/// A folder has at most so many lingering users.
const MAX_USERS: usize = 1000;

/// Makes all of it, as far as it can be made: a line of somebody's tmpfiles.d that cannot is none of a boot's errors either.
pub fn prepare(top: &Path) {
    let Ok(root) = Root::open(top) else {
        return;
    };
    if !first_boot::has_systemd(top) {
        return;
    }
    let accounts = Accounts::read(&root);
    let memory = Memory::new(&root);
    let _ = memory.folder(BOOTED, 0o755, Owner::default());
    tmpfiles::apply(&root, &memory, &accounts);
    for name in root
        .names(units::LINGER.as_ref(), MAX_USERS)
        .unwrap_or_default()
    {
        if let Some(user) = accounts.user(&name) {
            folder_of_user(&root, user);
        }
    }
    let tree = Tree::new(&root, &Scope::System);
    for id in tree.boot().iter() {
        folders_of(&root, &accounts, &Scope::System, &tree.unit(id));
    }
}

/// The folder of a user who is logged in, or lingers.
pub fn folder_of_user(root: &Root, user: &User) {
    let owner = Owner {
        uid: Some(user.uid),
        gid: Some(user.gid),
    };
    // Without it a user's programs fail, and say why.
    let _ = Memory::new(root).folder(&folder_for(user), 0o700, owner);
}

fn folder_for(user: &User) -> String {
    format!("/run/user/{}", user.uid)
}

/// Makes the folders that a service has below /run while it runs.
pub fn folders_of(root: &Root, accounts: &Accounts, scope: &Scope, unit: &Unit) {
    let folders = unit.settings.words("Service", "RuntimeDirectory");
    if folders.is_empty() {
        return;
    }
    let (top, owner) = match scope {
        Scope::System => ("/run".to_owned(), owner(accounts, unit)),
        Scope::User(user) => (
            folder_for(user),
            Owner {
                uid: Some(user.uid),
                gid: Some(user.gid),
            },
        ),
    };
    let mode = unit.own("RuntimeDirectoryMode");
    let mode = mode
        .and_then(|mode| u32::from_str_radix(mode, 8).ok())
        .unwrap_or(0o755);
    let memory = Memory::new(root);
    for words in folders {
        let words = unit.expanded(words);
        let (folder, link) = words.split_once(':').unwrap_or((&words, ""));
        // As above: the service itself would say what is wrong.
        let _ = memory.folder(&format!("{top}/{folder}"), mode, owner);
        if !link.is_empty() {
            let link = link.split(':').next().unwrap_or_default();
            let _ = memory.link(&format!("{top}/{link}"), folder, false);
        }
    }
}

/// Whom a service runs as.
fn owner(accounts: &Accounts, unit: &Unit) -> Owner {
    // One that is made when it starts.
    if unit.is("DynamicUser") {
        return Owner::default();
    }
    let named = |key| unit.own(key).map(|name| unit.expanded(name));
    let user = named("User");
    let group = named("Group").and_then(|name| accounts.gid(&name));
    let of_user = user
        .as_ref()
        .and_then(|name| accounts.user(name))
        .map(|user| user.gid);
    Owner {
        uid: user.and_then(|name| accounts.uid(&name)),
        gid: group.or(of_user),
    }
}

#[cfg(test)]
mod tests;
